#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "datasets/audit/audit.h"
#include "support/support.h"

// What the tests of the audit's checks share.

namespace hone::datasets::audit {

inline std::string chat(const std::string& prompt, const std::string& answer) {
  return Row{{"messages",
              {{{"role", "user"}, {"content", prompt}},
               {{"role", "assistant"}, {"content", answer}}}}}
             .dump() +
         "\n";
}

/// Rows in files of their own, and what the audit says of them.
struct Audited {
  test::TempFolder folder;
  AuditInput input;

  explicit Audited(const std::string& rows) {
    input.train.files = {folder.write("rows.jsonl", rows).string()};
    input.train.threads = 2;
  }
  Report report() const { return audit(input); }
};

inline const Finding* finding(const Report& report, std::string_view check) {
  const auto found = std::find_if(report.findings.begin(), report.findings.end(),
                                  [&](const Finding& f) { return f.check->name == check; });
  return found == report.findings.end() ? nullptr : &*found;
}

inline std::int64_t count(const Report& report, std::string_view check) {
  const Finding* found = finding(report, check);
  return found == nullptr ? 0 : found->count;
}

}  // namespace hone::datasets::audit
