#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "support/process.h"
#include "support/tiny_run.h"

// `hone data audit` and `hone data clean` as other programs see them.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

const std::string kKept =
    "{\"messages\":  [{\"role\":\"user\",\"content\":\"Say caf\\u00e9.\"},"
    "{\"role\":\"assistant\",\"content\":\"Caf\u00e9.\"}], \"id\": 1.0}\n";
const std::string kEmpty =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Anything?\"},"
    "{\"role\":\"assistant\",\"content\":\" \"}]}\n";
const std::string kMail =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Who?\"},"
    "{\"role\":\"assistant\",\"content\":\"Write to jane@acme.com.\"}]}\n";

json audited(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"data", "audit", "--json"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Finished finished = run_hone(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out);
}

void expect_refused(const std::vector<std::string>& arguments, const std::string& part) {
  const Finished finished = run_hone(arguments);
  EXPECT_EQ(finished.exit_code, 2) << finished.err;
  EXPECT_TRUE(contains(finished.err, part));
}

TEST(DataAudit, SaysWhatIsWrongOnTheTerminalAsJsonAndAsAPage) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", kKept + kEmpty + kKept + kMail).string();
  const std::string page = (folder / "audit.html").string();
  const json report = audited({"--input", rows, "--html", page});
  EXPECT_EQ(report["rows"], 4);
  std::vector<std::string> names;
  for (const json& finding : report["findings"]) names.push_back(finding["check"]);
  EXPECT_EQ(names, (std::vector<std::string>{"empty", "exact_duplicates", "pii_email"}));
  EXPECT_TRUE(contains(report["findings"][0]["examples"][0]["row"], "rows.jsonl:2"));
  EXPECT_TRUE(contains(read_file(page), "</html>"));

  const Finished text = run_hone({"data", "audit", "--input", rows});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_LT(text.out.find("empty"), text.out.find("pii_email")) << "what matters first";
  EXPECT_TRUE(contains(text.out, "rows.jsonl:3"));
}

TEST(DataAudit, TakesRowsEvaluationAndTokenizerFromAConfig) {
  const test::TinyRun run("{method: lora, r: 4}");
  const json report = audited({run.config});
  EXPECT_EQ(report["rows"], 160);
}

TEST(DataAudit, RefusesWhatItCannotRead) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", kKept).string();
  expect_refused({"data", "audit"}, "--input");
  expect_refused({"data", "audit", "--input", "missing.jsonl"}, "missing.jsonl");
  expect_refused({"data", "audit", "--input", "-"}, "standard input");
  expect_refused({"data", "audit", "--input", folder.write("bad.jsonl", "{\"a\"\n").string()},
                 "bad.jsonl:1");
  expect_refused({"data", "audit", "--input", folder.write("none.jsonl", "").string()}, "no rows");
  expect_refused({"data", "audit", "--input", rows, "--eval", "missing.jsonl"}, "missing.jsonl");
  expect_refused({"data", "audit", "--input", rows, "--format", "mesages"}, "mesages");
}

TEST(DataClean, KeepsTheBytesOfRowsThatItKeeps) {
  const test::TempFolder folder;
  const std::string rows =
      folder.write("rows.jsonl", kKept + kEmpty + "\r\n" + kMail + kKept).string();
  const std::string out = (folder / "clean.jsonl").string(), ledger = (folder / "l.jsonl").string();
  const Finished finished =
      run_hone({"data", "clean", "--input", rows, "--output", out, "--ledger", ledger, "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(read_file(out), kKept + kMail);
  const json summary = json::parse(finished.out);
  EXPECT_EQ(summary["rows"], 4);
  EXPECT_EQ(summary["kept"], 2);
  EXPECT_EQ(summary["steps"]["exact_duplicates"], 1);
  const auto entries = test::read_jsonl(ledger);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0]["row"], 2);
  EXPECT_EQ(entries[0]["step"], "empty");
  EXPECT_EQ(entries[1]["row"], 5);
  EXPECT_TRUE(contains(entries[1]["why"], "rows.jsonl:1"));
}

TEST(DataClean, ChangesTextsAndSaysSoWithoutRepeatingThem) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", kKept + kMail).string();
  const std::string out = (folder / "clean.jsonl").string(), ledger = (folder / "l.jsonl").string();
  const std::vector<std::string> command = {"data", "clean",    "--input", rows,      "--output",
                                            out,    "--ledger", ledger,    "--steps", "redact_pii"};
  ASSERT_EQ(run_hone(command).exit_code, 0);
  const std::string first = read_file(out), told = read_file(ledger);
  EXPECT_TRUE(contains(first, "Write to [EMAIL]."));
  EXPECT_TRUE(first.starts_with(kKept));
  EXPECT_FALSE(contains(told, "jane@acme.com"));
  ASSERT_EQ(run_hone(command).exit_code, 0);
  EXPECT_EQ(read_file(out), first) << "the same input gives the same output";
  EXPECT_EQ(read_file(ledger), told);
}

TEST(DataClean, NearDuplicatesOfARowThatWentAreKept) {
  const test::TempFolder folder;
  std::string words;
  for (int i = 0; i < 60; ++i) words += "w" + std::to_string(i) + " ";
  const auto row = [&](const std::string& last, const std::string& answer) {
    return json{{"messages",
                 {{{"role", "user"}, {"content", words + last}},
                  {{"role", "assistant"}, {"content", answer}}}}}
               .dump() +
           "\n";
  };
  const std::string rows =
      folder.write("rows.jsonl", row("one", "") + row("two", "Yes.") + row("three", "Yes."))
          .string();
  const std::string out = (folder / "clean.jsonl").string();
  ASSERT_EQ(run_hone({"data", "clean", "--input", rows, "--output", out, "--steps",
                      "near_duplicates,empty"})
                .exit_code,
            0);
  EXPECT_EQ(read_file(out), row("two", "Yes."));
}

TEST(DataClean, RefusesToWorkInPlaceAndWhatItDoesNotKnow) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", kKept).string();
  const std::string out = (folder / "clean.jsonl").string();
  fs::create_symlink(rows, folder / "link.jsonl");
  expect_refused({"data", "clean", "--input", rows, "--output", rows}, "in place");
  expect_refused({"data", "clean", "--input", rows, "--output", (folder / "link.jsonl").string()},
                 "in place");
  expect_refused({"data", "clean", "--input", rows, "--output", out, "--ledger", rows}, "in place");
  expect_refused({"data", "clean", "--input", rows}, "--output");
  expect_refused({"data", "clean", "--input", rows, "--output", out, "--steps", "emty"}, "emty");
  expect_refused({"data", "clean", "--input", rows, "--output", out, "--steps", "contamination"},
                 "--benchmark");
  expect_refused({"data", "clean", "--input", rows, "--output", (folder / "x.csv").string()},
                 ".jsonl");
  EXPECT_EQ(read_file(rows), kKept);
  EXPECT_FALSE(fs::exists(out));
}

TEST(DataClean, ABadRowStopsItUnlessNamedAndNothingHalfWrittenStays) {
  const test::TempFolder folder;
  const std::string rows =
      folder.write("rows.jsonl", kKept + "{\"messages\": [\n" + kMail).string();
  const std::string out = (folder / "clean.jsonl").string();
  expect_refused({"data", "clean", "--input", rows, "--output", out}, "rows.jsonl:2");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1)
      << "only the input is there";
  ASSERT_EQ(run_hone({"data", "clean", "--input", rows, "--output", out, "--steps", "unreadable"})
                .exit_code,
            0);
  EXPECT_EQ(read_file(out), kKept + kMail);
}

TEST(DataClean, ADryRunWritesNothing) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", kKept + kKept).string();
  const Finished finished = run_hone(
      {"data", "clean", "--input", rows, "--dry-run", "--ledger", (folder / "l").string()});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.out, "1 kept"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace hone
