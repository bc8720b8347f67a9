#include "datasets/audit/clean.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "datasets/audit/pii.h"
#include "datasets/audit/text_faults.h"

namespace hone::datasets::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::array kEdits = {
    Edit{"repair_mojibake", "text read in the wrong encoding is put right", with_mojibake_repaired},
    Edit{"strip_control", "control and replacement characters go", without_control_characters},
    Edit{"strip_html", "tags go and entities become their characters, outside of code",
         without_html},
    Edit{"plain_whitespace", "white space is trimmed and made plain, outside of code",
         with_plain_whitespace},
    Edit{"redact_pii", "e-mail addresses, phone, card, IBAN and IP numbers become [EMAIL], …",
         with_pii_redacted, true},
};

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> default_steps(const CleanInput& input) {
  std::vector<std::string> steps = {"exact_duplicates", "empty", "equal_pairs"};
  if (!input.audit.eval.empty()) steps.insert(steps.end(), {"eval_leaks", "near_eval_leaks"});
  if (!input.audit.benchmark.empty()) steps.push_back("contamination");
  return steps;
}

void check_steps(const std::vector<std::string>& steps, const CleanInput& input) {
  const std::vector<std::string> known = step_names();
  for (const std::string& step : steps) {
    HONE_CHECK(ConfigError, contains(known, step), "--steps: there is no step `{}`; there are {}",
               step, fmt::join(known, ", "));
    HONE_CHECK(ConfigError, !step.ends_with("eval_leaks") || !input.audit.eval.empty(),
               "--steps: {} needs the evaluation files; name them with --eval", step);
    HONE_CHECK(ConfigError, step != "contamination" || !input.audit.benchmark.empty(),
               "--steps: contamination needs benchmark files; name them with --benchmark");
  }
}

void refuse_in_place(const CleanInput& input) {
  std::vector<std::string> sources = input.audit.train.files;
  for (const auto* more : {&input.audit.eval, &input.audit.benchmark})
    sources.insert(sources.end(), more->begin(), more->end());
  for (const std::string& file : sources) {
    HONE_CHECK(ConfigError, file != "-",
               "--input -: cleaning reads its rows more than once; write them to a file first");
    for (const fs::path* out : {&input.output, &input.ledger}) {
      std::error_code ignored;
      const bool is_same =
          !out->empty() && (fs::equivalent(*out, file, ignored) ||
                            fs::weakly_canonical(*out) == fs::weakly_canonical(file));
      HONE_CHECK(ConfigError, !is_same,
                 "{} is one of the files that are read; nothing is cleaned in place: name another "
                 "file",
                 out->string());
    }
  }
  HONE_CHECK(ConfigError, input.output.extension() == ".jsonl" || input.dry_run,
             "--output {}: rows are written as JSONL; name a file that ends in .jsonl (`hone data "
             "convert` makes other containers)",
             input.output.string());
  HONE_CHECK(ConfigError,
             input.ledger.empty() ||
                 fs::weakly_canonical(input.ledger) != fs::weakly_canonical(input.output),
             "--ledger and --output are the same file");
}

/// Why a row goes.
struct Removal {
  const Check* check = nullptr;
  Mark mark{};
};

/// Applies the checks among the steps one after the other, each to what those before it left.
std::vector<Removal> decide(const Evidence& evidence, const std::vector<std::string>& steps,
                            CleanSummary& summary) {
  std::vector<Removal> removals(evidence.train.rows.size());
  std::vector<bool> alive(removals.size(), true);
  for (const Check& check : checks()) {
    if (!contains(steps, check.name)) continue;
    const Findings found = find(check, evidence.scope(alive));
    std::int64_t removed = 0;
    for (const Mark& mark : found.marks) {
      const auto row = static_cast<std::size_t>(mark.row);
      if (!alive[row]) continue;  // a row may be marked twice
      alive[row] = false;
      removals[row] = {&check, mark};
      ++removed;
    }
    summary.steps.push_back({std::string(check.name), removed});
  }
  return removals;
}

/// Keys whose texts are structure, not content.
bool is_structure(std::string_view key) {
  constexpr std::array kKeys = {"role", "from", "name", "id", "type", "tool_call_id", "tools"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

struct Change {
  const Edit* edit;
  std::string before, after;  // of the first text that the edit changed
};

/// Applies one edit to every text below `value`; the first change is told in `change`.
void apply(const Edit& edit, Row& value, std::optional<Change>& change) {
  if (value.is_string()) {
    auto& text = value.get_ref<std::string&>();
    std::string edited = edit.apply(text);
    if (edited == text) return;
    if (!change) change = Change{&edit, text, edited};
    text = std::move(edited);
  } else if (value.is_object()) {
    for (auto& [key, item] : value.items())
      if (!is_structure(key)) apply(edit, item, change);
  } else if (value.is_array()) {
    for (Row& item : value) apply(edit, item, change);
  }
}

std::string dumped(const Row& value) {
  return value.dump(-1, ' ', false, Row::error_handler_t::replace);
}

/// What becomes of one row.
struct Outcome {
  std::string line;  // "" where the row goes
  std::vector<std::string> ledger;
  std::vector<std::size_t> edits;  // that changed it
};

class Writer {
 public:
  Writer(const CleanInput& input, const Evidence& evidence, const std::vector<Removal>& removals,
         const std::vector<std::string>& steps)
      : input_(input), evidence_(evidence), removals_(removals), all_(removals.size(), true) {
    for (std::size_t i = 0; i < kEdits.size(); ++i)
      if (contains(steps, kEdits[i].name)) edits_.push_back(i);
  }

  void run(CleanSummary& summary) {
    if (!input_.dry_run) {
      rows_ = std::make_unique<AtomicFile>(input_.output);
      if (!input_.ledger.empty()) ledger_ = std::make_unique<AtomicFile>(input_.ledger);
    }
    std::array<std::int64_t, kEdits.size()> changes{};
    std::vector<Outcome> outcomes(kBlockRows);
    const auto take = [&](InputRow&, std::size_t place) {
      const Outcome& outcome = outcomes[place];
      summary.kept += !outcome.line.empty();
      summary.changed += !outcome.edits.empty();
      for (const std::size_t edit : outcome.edits) ++changes[edit];
      if (rows_ != nullptr) rows_->write(outcome.line);
      if (ledger_ != nullptr)
        for (const std::string& entry : outcome.ledger) ledger_->write(entry);
    };
    summary.rows = for_each_row(
        evidence_.train.input,
        {.work = [&](InputRow& row, std::size_t place) { outcomes[place] = outcome_of(row); },
         .take = take});
    for (const std::size_t edit : edits_)
      summary.steps.push_back({std::string(kEdits[edit].name), changes[edit]});
    if (ledger_ != nullptr) ledger_->commit();
    if (rows_ != nullptr) rows_->commit();
  }

 private:
  Outcome outcome_of(InputRow& row) const {
    HONE_CHECK(DataError, static_cast<std::size_t>(row.index) < removals_.size(),
               "{}: the file grew while it was read; run again",
               input_.audit.train.files[static_cast<std::size_t>(row.file)]);
    Outcome outcome;
    const Removal& removal = removals_[static_cast<std::size_t>(row.index)];
    if (removal.check != nullptr) {
      outcome.ledger.push_back(entry(row, removal.check->name, reason(row, removal), nullptr));
      return outcome;
    }
    HONE_CHECK(DataError, row.record, "{}\nThe step `unreadable` leaves such rows out.",
               row.problem);
    for (const std::size_t i : edits_) {
      std::optional<Change> change;
      apply(kEdits[i], row.value, change);
      if (!change) continue;
      outcome.edits.push_back(i);
      outcome.ledger.push_back(entry(row, kEdits[i].name, std::string(kEdits[i].what), &*change));
    }
    outcome.line = (keeps_line(row, outcome) ? row.line : dumped(row.value)) + "\n";
    return outcome;
  }

  /// A row that stands as JSON on one line keeps it; other containers' rows are written anew.
  static bool keeps_line(const InputRow& row, const Outcome& outcome) {
    if (!outcome.edits.empty() || !row.line.starts_with('{')) return false;
    if (row.line.find('\n') != row.line.npos) return false;
    return Row::parse(row.line, nullptr, /*allow_exceptions=*/false) == row.value;
  }

  std::string reason(const InputRow& row, const Removal& removal) const {
    const Check& check = *removal.check;
    std::string found;
    if (check.in_row == nullptr) {
      found = describe(removal.mark, evidence_.scope(all_));
    } else {
      const RowText text =
          row.record ? row_text(*row.record, evidence_.lookups.tokenizer) : RowText{};
      const RowKeys keys = evidence_.train.rows[static_cast<std::size_t>(row.index)].keys;
      found = check.in_row({text, keys, row.problem, evidence_.lookups}).value_or("");
    }
    return found.empty() ? std::string(check.what) : fmt::format("{}: {}", check.what, found);
  }

  std::string entry(const InputRow& row, std::string_view step, const std::string& why,
                    const Change* change) const {
    Row line = {{"file", input_.audit.train.files[static_cast<std::size_t>(row.file)]},
                {"row", row.number},
                {"step", step},
                {"action", change == nullptr ? "removed" : "changed"},
                {"why", why}};
    if (change != nullptr) {
      if (change->edit->hides_before) {
        line["before"] = nullptr;
      } else {
        line["before"] = change->before;
      }
      line["after"] = change->after;
    }
    return dumped(line) + "\n";
  }

  const CleanInput& input_;
  const Evidence& evidence_;
  const std::vector<Removal>& removals_;
  std::vector<bool> all_;
  std::vector<std::size_t> edits_;  // places in kEdits
  std::unique_ptr<AtomicFile> rows_, ledger_;
};

}  // namespace

std::span<const Edit> edits() { return kEdits; }

std::vector<std::string> step_names() {
  std::vector<std::string> names;
  for (const Check& check : checks())
    if (check.is_removable) names.emplace_back(check.name);
  for (const Edit& edit : kEdits) names.emplace_back(edit.name);
  return names;
}

CleanSummary clean(const CleanInput& input) {
  const std::vector<std::string> steps = input.steps.empty() ? default_steps(input) : input.steps;
  check_steps(steps, input);
  refuse_in_place(input);
  const Evidence evidence(input.audit);
  CleanSummary summary;
  const std::vector<Removal> removals = decide(evidence, steps, summary);
  Writer(input, evidence, removals, steps).run(summary);
  return summary;
}

}  // namespace hone::datasets::audit
