#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>

#include "audited.h"
#include "base/error.h"
#include "base/file.h"

namespace hone::datasets::audit {
namespace {

using test::contains;
using test::TempFolder;

TEST(Audit, SoundRowsHaveNoFindings) {
  const Audited audited(chat("What is the capital of France?", "Paris.") +
                        chat("And of Spain?", "Madrid.") +
                        chat("Add 2 and 3.", "The sum is 5. That is all."));
  const Report report = audited.report();
  for (const Finding& f : report.findings) ADD_FAILURE() << f.check->name << ": " << f.count;
  EXPECT_EQ(report.rows, 3);
  EXPECT_EQ(report.kinds.at(RecordKind::kConversation), 3);
}

TEST(Audit, ChecksHaveNamesOfTheirOwn) {
  std::vector<std::string_view> names;
  for (const Check& check : checks()) {
    EXPECT_NE(check.in_row == nullptr, check.in_corpus == nullptr) << check.name;
    names.push_back(check.name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Audit, UnreadableRowsAreAFindingAndTheOthersAreLookedAt) {
  const Audited audited(chat("a", "b.") + "{\"messages\": 5}\nnot json\n" + chat("c", "d."));
  const Report report = audited.report();
  EXPECT_EQ(report.rows, 4);
  ASSERT_EQ(count(report, "unreadable"), 2);
  EXPECT_TRUE(contains(finding(report, "unreadable")->exhibits[1].place, "rows.jsonl:3"));
  EXPECT_EQ(report.kinds.at(RecordKind::kConversation), 2);
}

TEST(Audit, FilesOfNothingButBadRowsAreRefused) {
  EXPECT_TRUE(
      contains(test::message_of<DataError>([] { Audited("what\n").report(); }), "rows.jsonl:1"));
  EXPECT_TRUE(contains(test::message_of<DataError>([] { Audited("").report(); }), "no rows"));
}

TEST(Audit, ExactDuplicatesDifferOnlyInWhiteSpaceAndMetadata) {
  std::string tagged = chat("Say hello to the whole room.", "Hello.");
  tagged.insert(1, "\"id\": 7, ");
  const Audited audited(chat("Say hello to the whole room.", "Hello.") + tagged +
                        chat("Say  hello to the whole room. ", "Hello.") +
                        chat("Say hello to the whole room.", "hello."));
  const Report report = audited.report();
  ASSERT_EQ(count(report, "exact_duplicates"), 2);
  EXPECT_TRUE(contains(finding(report, "exact_duplicates")->exhibits[0].found, "rows.jsonl:1"));
}

/// A text of `words` different words.
std::string text(int words, const std::string& stem) {
  std::string result;
  for (int i = 0; i < words; ++i) result += fmt::format("{}{} ", stem, i);
  return result + "end.";
}

TEST(Audit, NearDuplicatesAreToldFromTheSharedSystemMessage) {
  const auto with_system = [](const std::string& prompt) {
    return Row{{"messages",
                {{{"role", "system"}, {"content", text(300, "system")}},
                 {{"role", "user"}, {"content", prompt}},
                 {{"role", "assistant"}, {"content", "Done."}}}}}
               .dump() +
           "\n";
  };
  const Audited different(with_system("Open the door.") + with_system("Close every window now."));
  EXPECT_EQ(count(different.report(), "near_duplicates"), 0);

  const std::string original = text(100, "w");
  std::string changed = original;
  changed.replace(changed.find("w50 "), 4, "other ");
  const Audited near(chat(original, "Done.") + chat(changed, "Done.") + chat(original, "Done."));
  const Report report = near.report();
  ASSERT_EQ(count(report, "near_duplicates"), 1) << "the exact one is counted elsewhere";
  const Exhibit& exhibit = finding(report, "near_duplicates")->exhibits[0];
  EXPECT_TRUE(contains(exhibit.place, "rows.jsonl:2"));
  // 98 runs of five words each; a changed word is in five of them: 93 shared of 103.
  EXPECT_TRUE(contains(exhibit.found, "0.90 similar to "));
  EXPECT_FALSE(exhibit.excerpt.empty());
}

TEST(Audit, LeaksAreExactByPromptOrNear) {
  const std::string original = text(100, "w");
  std::string changed = original;
  changed.replace(changed.find("w50 "), 4, "other ");
  Audited audited(chat("What is six times seven?", "42") + chat(changed, "Done.") +
                  chat("Something else.", "Yes."));
  audited.input.eval = {audited.folder
                            .write("eval.jsonl", chat("What is six  times seven?", "It is 42.") +
                                                     chat(original, "Done."))
                            .string()};
  const Report report = audited.report();
  EXPECT_EQ(count(report, "eval_leaks"), 1);
  ASSERT_EQ(count(report, "near_eval_leaks"), 1);
  EXPECT_TRUE(contains(finding(report, "near_eval_leaks")->exhibits[0].found, "eval.jsonl:2"));
  EXPECT_EQ(report.eval_rows, 2);
}

TEST(Audit, ContaminationNamesTheBenchmarksRow) {
  const std::string question =
      "A farmer has seventeen sheep and all but nine of them run away during the night.";
  Audited audited(chat("Riddle: " + question + " How many are left?", "Nine.") +
                  chat("A farmer has seventeen sheep.", "Good."));
  audited.input.benchmark = {
      audited.folder
          .write("bench.jsonl", "{\"q\": \"Short.\", \"a\": 1}\n" +
                                    Row{{"q", {{"deep", question}}}, {"a", "9"}}.dump() + "\n")
          .string()};
  const Report report = audited.report();
  ASSERT_EQ(count(report, "contamination"), 1);
  EXPECT_TRUE(contains(finding(report, "contamination")->exhibits[0].found, "bench.jsonl:2"));
  EXPECT_EQ(report.benchmark_texts, 3);
  EXPECT_EQ(report.short_benchmark_texts, 2);
}

TEST(Audit, ConflictingAnswersAreThoseToOnePrompt) {
  const Audited audited(chat("Is it good?", "positive") + chat("Is it good?", "negative") +
                        chat("Is it good?", "positive ") + chat("Is it bad?", "negative"));
  const Report report = audited.report();
  EXPECT_EQ(count(report, "conflicting_answers"), 3);
  EXPECT_EQ(count(report, "exact_duplicates"), 1);
}

TEST(Audit, EmptyRowsAreThoseThatSayNothing) {
  const std::string calls =
      Row{{"messages",
           {{{"role", "user"}, {"content", "Weather?"}},
            {{"role", "assistant"},
             {"content", ""},
             {"tool_calls",
              {{{"type", "function"},
                {"function", {{"name", "w"}, {"arguments", Row::object()}}}}}}}}}}
          .dump() +
      "\n";
  const Report report =
      Audited(chat("a", "") + chat("b", " \n") + chat(" ", "c.") + calls + chat("d", "e."))
          .report();
  EXPECT_EQ(count(report, "empty"), 3);
}

TEST(Audit, AnswersCutAtOneLengthAreSeen) {
  std::string rows;
  for (int i = 0; i < 60; ++i) {
    const std::string stem = fmt::format("{:02}", i);
    std::string answer;
    while (answer.size() < 600) answer += stem + " ";
    answer.resize(i < 12 ? 512 : static_cast<std::size_t>(100 + 6 * i));
    answer.back() = '.';
    rows += chat("prompt " + stem, answer);
  }
  const Report report = Audited(rows).report();
  EXPECT_EQ(count(report, "length_limit"), 12);
  EXPECT_TRUE(contains(finding(report, "length_limit")->note, "512 characters"));
}

TEST(Audit, MixedFormatsNameTheirCounts) {
  const Report report = Audited(chat("a", "It is 1,000 on 2025-06-13.") +
                                chat("b", "It is 2,000.") + chat("c", "It is 10 000 on 6/13/2025."))
                            .report();
  ASSERT_EQ(count(report, "mixed_thousands"), 1);
  EXPECT_EQ(finding(report, "mixed_thousands")->note, "1,000 (2 rows), 1 000 (1)");
  EXPECT_EQ(count(report, "mixed_dates"), 1);
}

TEST(Audit, PersonalDataIsNotRepeatedInTheReport) {
  const Report report =
      Audited(chat("Mail me.", "At jane.roe@acme.com, card 4111 1111 1111 1111.")).report();
  EXPECT_EQ(count(report, "pii_email"), 1);
  EXPECT_EQ(count(report, "pii_card"), 1);
  for (const std::string& page :
       {text_report(report, false), json_report(report).dump(), html_report(report)}) {
    EXPECT_FALSE(page.find("jane.roe@acme.com") != page.npos);
    EXPECT_FALSE(page.find("1111 1111") != page.npos);
  }
}

TEST(Audit, ResultsDoNotDependOnThreads) {
  std::string rows;
  for (int i = 0; i < 3000; ++i) rows += chat(text(12, fmt::format("x{}y", i % 1500)), "It is.");
  Audited audited(rows);
  audited.input.train.threads = 1;
  const std::string one = json_report(audited.report()).dump();
  audited.input.train.threads = 4;
  EXPECT_EQ(json_report(audited.report()).dump(), one);
}

TEST(Reports, EscapeWhatRowsSay) {
  const Report report = Audited(chat("<script>alert(1)</script>", "")).report();
  const std::string page = html_report(report);
  EXPECT_EQ(page.find("<script"), page.npos);
  EXPECT_EQ(page.find("http"), page.npos) << "nothing from elsewhere";
  EXPECT_EQ(text_report(report, false).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace hone::datasets::audit
