#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "base/file.h"
#include "support/tiny_run.h"

// `hone data convert`, `split` and `sample`, and what becomes of rows that are wrong.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

std::string text_rows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) rows += json{{"text", "row " + std::to_string(i)}}.dump() + "\n";
  return rows;
}

class DataRows : public testing::Test {
 protected:
  Finished convert(const std::string& input, const std::string& to = "text",
                   const std::string& output = "out.jsonl",
                   const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"data", "convert", "--input",  input,
                                       "--to", to,        "--output", folder_ / output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }

  /// A file of that content is refused with every one of the parts; nothing is written.
  void expect_refused(const std::string& name, const std::string& content,
                      const std::vector<std::string>& parts, const std::string& to = "text",
                      const std::vector<std::string>& more = {}) {
    const Finished finished = convert(folder_.write(name, content), to, "out.jsonl", more);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    for (const std::string& part : parts) EXPECT_TRUE(contains(finished.err, part));
    EXPECT_FALSE(fs::exists(folder_ / "out.jsonl"));
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      EXPECT_FALSE(entry.path().filename().string().ends_with(".tmp")) << entry.path();
  }

  std::vector<json> rows_of(const std::string& name) { return test::read_jsonl(folder_ / name); }

  test::TempFolder folder_;
};

TEST_F(DataRows, MalformedJsonInLine70001IsNamed) {
  expect_refused("r.jsonl", text_rows(70'000) + "{\"text\": \"x\", }\n" + text_rows(10),
                 {"r.jsonl:70001:15: ", "near `{\"text\": \"x\", }`"});
}

TEST_F(DataRows, AByteOrderMarkAndCrlfAreTaken) {
  const Finished finished = convert(
      folder_.write("r.jsonl", "\xEF\xBB\xBF{\"text\": \"a\"}\r\n\r\n{\"text\": \"b\\r\"}\r\n"));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(read_file(folder_ / "out.jsonl"), "{\"text\":\"a\"}\n{\"text\":\"b\\r\"}\n");
}

TEST_F(DataRows, AnOverlongLineIsNamed) {
  const auto with_line_of = [&](off_t bytes) {
    const fs::path path = folder_.write("long.jsonl", "{\"text\": \"a\"}\n{\"text\": \"");
    EXPECT_EQ(::truncate(path.c_str(), bytes), 0);  // zeros that take no room
    return convert(path);
  };
  Finished finished = with_line_of(200 << 20);
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "long.jsonl:2:"));
  EXPECT_LT(finished.err.size(), 2000u) << "the line itself is not told";
  finished = with_line_of(off_t{300} << 20);
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "long.jsonl:2: the line has more than 268435456 bytes"));
}

TEST_F(DataRows, InvalidUtf8IsNamed) {
  expect_refused("r.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\xC3(\"}\n",
                 {"r.jsonl:2:11", "not valid UTF-8", "iconv"});
  expect_refused("r.csv", "text\na\n\xFF\n", {"r.csv, row 2 (line 3)", "not valid UTF-8"});
}

TEST_F(DataRows, MissingFieldsAndWrongRolesAreNamed) {
  expect_refused("r.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n",
                 {"r.jsonl:2: ", "format text, with \"text\"; got \"txt\""});
  expect_refused("r.jsonl", "{\"messages\": [{\"role\": \"usr\", \"content\": \"a\"}]}\n",
                 {"r.jsonl:1: ", "messages[0].role is \"usr\"", "user"}, "messages");
  expect_refused("r.jsonl", "{\"conversations\": [{\"from\": \"robot\", \"value\": \"a\"}]}\n",
                 {"r.jsonl:1: ", "conversations[0].from is \"robot\"", "gpt"}, "messages");
  expect_refused("r.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n",
                 {"r.jsonl:1: ", "\"question\", \"answer\"", "data.columns"});
}

TEST_F(DataRows, AnUnknownColumnIsRefusedWithTheNearestName) {
  expect_refused("r.jsonl", "{\"question\": \"a\"}\n",
                 {"r.jsonl:1: ", "no column \"qestion\"", "did you mean question?"}, "text",
                 {"--columns", "text=qestion"});
  expect_refused("r.jsonl", "{\"question\": \"a\"}\n", {"no key txt", "did you mean text?"}, "text",
                 {"--columns", "txt=question"});
}

TEST_F(DataRows, AnEmptyFileIsRefused) {
  for (const char* name : {"r.jsonl", "r.json"}) expect_refused(name, "", {"no rows"});
  expect_refused("r.csv", "", {"expected a header row"});
  expect_refused("r.csv", "text\n", {"no rows"});
}

TEST_F(DataRows, ARaggedCsvRowIsNamed) {
  expect_refused("r.csv", "text,id\n\"a\nb\",1\nc\n",
                 {"r.csv, row 2 (line 4): the row has 1 fields and the header 2 columns"});
}

TEST_F(DataRows, AFileThatIsCutShortIsRefused) {
  const Finished packed = convert(folder_.write("r.jsonl", text_rows(2000)), "text", "p.jsonl.gz");
  EXPECT_EQ(packed.exit_code, 0) << packed.err;
  const std::string gzip = read_file(folder_ / "p.jsonl.gz");
  expect_refused("cut.jsonl.gz", gzip.substr(0, gzip.size() / 2), {"cut.jsonl.gz", "cut short"});
  expect_refused("cut.json", "[{\"text\": \"a\"},\n {\"text\": \"b", {"cut.json", "cut short"});
}

bool reads_parquet() {
  return fs::exists(fs::path(test::hone_binary()).parent_path() / "libhone_parquet.so");
}

TEST_F(DataRows, ParquetGivesTheRowsOfTheSameJsonl) {
  if (!reads_parquet()) GTEST_SKIP() << "built with HONE_PARQUET=OFF";
  const Finished finished = convert(test::fixture("parquet/rows.parquet"), "messages", "out.jsonl",
                                    {"--from", "messages"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "column \"image\" (binary) is passed over"));
  EXPECT_EQ(rows_of("out.jsonl"), test::read_jsonl(test::fixture("parquet/rows.jsonl")));
}

TEST_F(DataRows, ParquetThatIsCutShortIsRefused) {
  if (!reads_parquet()) GTEST_SKIP() << "built with HONE_PARQUET=OFF";
  const std::string whole = read_file(test::fixture("parquet/rows.parquet"));
  for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{4}})
    expect_refused("cut.parquet", whole.substr(0, size), {"cut.parquet", "cut short"});
  std::string damaged = whole;
  for (std::size_t i = 1000; i < 1400; ++i) damaged[i] = '\xA5';
  expect_refused("bad.parquet", damaged, {"bad.parquet"}, "messages");
}

TEST_F(DataRows, AFolderOfMixedContainersIsOneInput) {
  folder_.write("in/1.jsonl", "{\"text\": \"a\"}\n");
  folder_.write("in/2.csv", "text\nb\n");
  folder_.write("in/3.json", "{\"data\": [{\"text\": \"c\"}]}");
  const Finished finished = convert(folder_ / "in");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(read_file(folder_ / "out.jsonl"),
            "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}\n");
  EXPECT_TRUE(contains(finished.err, "2.csv: text")) << "auto says what it took the file for";
}

TEST_F(DataRows, ConvertGoesThroughContainersAndFormatsWithoutLoss) {
  const std::string rows =
      "{\"messages\":[{\"role\":\"user\",\"content\":\"a, \\\"b\\\"\\nc\"},"
      "{\"role\":\"assistant\",\"content\":\"d\"}],\"id\":\"x\"}\n";
  folder_.write("r.jsonl", rows);
  std::string from = folder_ / "r.jsonl";
  for (const auto& [to, output] : {std::pair{"sharegpt", "1.csv"},
                                   {"alpaca", "2.tsv.gz"},
                                   {"prompt_completion", "3.jsonl.gz"},
                                   {"messages", "4.jsonl"}}) {
    const Finished finished = convert(from, to, output);
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_FALSE(contains(finished.err, "lost"));
    from = folder_ / output;
  }
  EXPECT_EQ(read_file(from), rows);
}

TEST_F(DataRows, ConvertCountsWhatTheTargetCannotHold) {
  const std::string turns =
      "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
      "\"b\"},{\"role\":\"user\",\"content\":\"c\"},{\"role\":\"assistant\",\"content\":\"d\"}]}\n";
  const Finished finished = convert(folder_.write("r.jsonl", turns + turns), "prompt_completion",
                                    "out.jsonl", {"--json"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "warning: 2 of 2 rows lost the training on answers"));
  EXPECT_EQ(json::parse(finished.out)["rows"], 2);
}

TEST_F(DataRows, ConvertRefusesToWriteOverItsInput) {
  const std::string path = folder_.write("r.jsonl", text_rows(3));
  const Finished finished = convert(path, "text", "r.jsonl");
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "is one of the files that are read"));
  EXPECT_EQ(read_file(path), text_rows(3));
}

class Split : public DataRows {
 protected:
  /// The texts of the evaluation side.
  std::set<std::string> eval_side(const std::string& rows, const std::vector<std::string>& how) {
    std::vector<std::string> arguments{"data",         "split",
                                       "--input",      folder_.write("r.jsonl", rows),
                                       "--train-file", folder_ / "train.jsonl",
                                       "--eval-file",  folder_ / "eval.jsonl"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    const Finished finished = run_hone(arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    std::set<std::string> texts;
    for (const json& row : rows_of("eval.jsonl")) texts.insert(row["text"]);
    for (const json& row : rows_of("train.jsonl")) EXPECT_FALSE(texts.contains(row["text"]));
    return texts;
  }
};

TEST_F(Split, ARowStaysOnItsSideWhateverElseIsThere) {
  const std::set<std::string> all = eval_side(text_rows(2000), {"--eval", "0.1"});
  EXPECT_NEAR(double(all.size()), 200, 54) << "four standard deviations";
  const std::set<std::string> some = eval_side(text_rows(500), {"--eval", "0.1"});
  for (const std::string& text : some) EXPECT_TRUE(all.contains(text));
  for (const std::string& text : all)
    if (std::stoi(text.substr(4)) < 500) {
      EXPECT_TRUE(some.contains(text));
    }
  EXPECT_NE(eval_side(text_rows(2000), {"--eval", "0.1", "--seed", "1"}), all);
}

TEST_F(Split, DuplicatesFallOnOneSideWhateverTheirOtherKeys) {
  std::string rows;
  for (int i = 0; i < 600; ++i)
    rows += json{{"id", i}, {"text", "row " + std::to_string(i % 200)}}.dump() + "\n";
  eval_side(rows, {"--eval", "0.3"});
  EXPECT_EQ(rows_of("eval.jsonl").size() % 3, 0u);
  EXPECT_EQ(rows_of("eval.jsonl").size() + rows_of("train.jsonl").size(), 600u);
}

TEST_F(Split, TakesANumberOfRows) {
  EXPECT_EQ(eval_side(text_rows(300), {"--rows", "17"}).size(), 17u);
  const Finished finished =
      run_hone({"data", "split", "--input", folder_ / "r.jsonl", "--rows", "301", "--train-file",
                folder_ / "t.jsonl", "--eval-file", folder_ / "e.jsonl"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "only 300 different rows"));
  EXPECT_FALSE(fs::exists(folder_ / "t.jsonl"));
}

class Sample : public DataRows {
 protected:
  std::vector<int> draw(const std::string& input, int count, int seed) {
    const Finished finished =
        run_hone({"data", "sample", "--input", input, "--rows", std::to_string(count), "--seed",
                  std::to_string(seed), "--output", folder_ / "out.jsonl"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    std::vector<int> rows;
    for (const json& row : rows_of("out.jsonl"))
      rows.push_back(std::stoi(row["text"].get<std::string>().substr(4)));
    return rows;
  }
};

TEST_F(Sample, IsDeterministicAndInTheOrderOfTheFile) {
  const std::string input = folder_.write("r.jsonl", text_rows(1000));
  const std::vector<int> rows = draw(input, 50, 7);
  EXPECT_EQ(rows.size(), 50u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  EXPECT_EQ(std::set<int>(rows.begin(), rows.end()).size(), 50u);
  EXPECT_EQ(draw(input, 50, 7), rows);
  EXPECT_NE(draw(input, 50, 8), rows);
}

TEST_F(Sample, DrawsEveryRowAsOften) {
  const std::string input = folder_.write("r.jsonl", text_rows(10));
  std::vector<int> counts(10, 0);
  constexpr int kDraws = 60;
  for (int seed = 0; seed < kDraws; ++seed)
    for (const int row : draw(input, 3, seed)) ++counts[static_cast<std::size_t>(row)];
  // Each count is binomial with mean 18 and standard deviation 3.5; the seeds are fixed.
  for (const int count : counts) EXPECT_NEAR(count, 18, 14);
}

TEST_F(Sample, RefusesMoreRowsThanThereAre) {
  const Finished finished = run_hone({"data", "sample", "--input", folder_.write("r.csv", "a\n1\n"),
                                      "--rows", "2", "--output", folder_ / "out.jsonl"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "the input has only 1 rows"));
}

}  // namespace
}  // namespace hone
