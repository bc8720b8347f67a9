#include "config/load.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "options.h"
#include "support/support.h"

namespace hone::config {
namespace {

using hone::test::contains;
using test::RunOptions;

Loaded<RunOptions> parse_run(const std::string& text,
                             const std::vector<std::string>& overrides = {}) {
  return parse<RunOptions>("model: {base: tiny}\n" + text, "run.yaml", overrides);
}

std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return hone::test::message_of<ConfigError>([&] { parse_run(text, overrides); });
}

TEST(Load, PrecedenceIsDefaultThenFileThenOverride) {
  const std::string text = "optim:\n  learning_rate: 1e-3\n  weight_decay: 0.1\n";
  const auto [options, given] =
      parse_run(text, {"optim.learning_rate=5e-4", "optim.learning_rate=6e-4", "seed=7"});
  EXPECT_EQ(options.optim.learning_rate, 6e-4);
  EXPECT_EQ(options.optim.weight_decay, 0.1);
  EXPECT_EQ(options.optim.name, "adamw");
  EXPECT_EQ(options.seed, 7);
  EXPECT_EQ(to_text(given.at("optim.weight_decay")), "run.yaml:4");
  EXPECT_EQ(to_text(given.at("seed")), "command line: seed=7");
  EXPECT_FALSE(given.contains("optim.name"));
  EXPECT_EQ(given.size(), 4u);
}

TEST(Load, ReadsEveryType) {
  const hone::test::TempFolder folder;
  const std::string file = folder.write("a.jsonl", "").string();
  const auto [options, given] = parse_run(
      "seed: -9223372036854775808\n"
      "data:\n  train: " +
          file +
          "\n  columns: [text, \"label\"]\n  shares: [.5, 1, 5e-1]\n"
          "  mix: {a: 1, b: 2.5}\n  names: {a: \"x: y\", b: c.d}\n  shuffle: false\n"
          "optim: {max_grad_norm: null, fused: True, warmup_steps: +3, learning_rate: 1.}\n",
      {"model.num_labels=2", "model.rope_scaling={type: linear, factor: 2}", "data.columns=[]"});
  EXPECT_EQ(options.seed, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(options.data.train, std::vector<std::string>{file});
  EXPECT_TRUE(options.data.columns.empty());
  EXPECT_EQ(options.data.shares, (std::vector<double>{0.5, 1, 0.5}));
  EXPECT_EQ(options.data.mix, (std::map<std::string, double>{{"a", 1}, {"b", 2.5}}));
  EXPECT_EQ(options.data.names, (std::map<std::string, std::string>{{"a", "x: y"}, {"b", "c.d"}}));
  EXPECT_FALSE(options.data.shuffle);
  EXPECT_EQ(options.optim.max_grad_norm, std::nullopt);
  EXPECT_EQ(options.optim.fused, true);
  EXPECT_EQ(options.optim.warmup_steps, 3);
  EXPECT_EQ(options.optim.learning_rate, 1.0);
  EXPECT_EQ(options.model.num_labels, 2);
  EXPECT_EQ(options.model.rope_scaling.type, "linear");
  EXPECT_EQ(options.model.rope_scaling.factor, 2.0);
}

TEST(Load, TextStaysTextWhateverItLooksLike) {
  const auto name = [](const std::string& yaml) {
    return parse<RunOptions>("model: {base: " + yaml + "}", "run.yaml").options.model.base;
  };
  EXPECT_EQ(name("yes"), "yes");
  EXPECT_EQ(name("1.10"), "1.10");
  EXPECT_EQ(name("1e-4"), "1e-4");
  EXPECT_EQ(name("'true'"), "true");
  EXPECT_EQ(name("\"null\""), "null");
  EXPECT_EQ(name("''"), "");
}

struct BadValueCase {
  std::string text;
  std::string message;
};

TEST(Load, RefusesValuesWithWhatWasExpected) {
  const std::vector<BadValueCase> cases = {
      {"optim: {learning_rate: fast}",
       "run.yaml:2: optim.learning_rate: expected a number above 0 and of at most 1, got \"fast\""},
      {"optim: {learning_rate: '1e-4'}", "got the quoted text \"1e-4\"; write it without quotes"},
      {"optim: {learning_rate: 0}", "above 0 and of at most 1, got 0"},
      {"optim: {learning_rate: 1.5}", "got 1.5"},
      {"optim: {learning_rate: .nan}", "got \".nan\"; only finite numbers are taken"},
      {"optim: {weight_decay: .inf}", "only finite numbers are taken"},
      {"optim: {weight_decay: inf}", "only finite numbers are taken"},
      {"optim: {weight_decay: 1e999}", "got \"1e999\""},
      {"optim: {weight_decay: 0x10}", "got \"0x10\""},
      {"optim: {weight_decay: 1_0}", "got \"1_0\""},
      {"optim: {weight_decay: }", "got nothing (null)"},
      {"optim: {weight_decay: [1]}", "got a list"},
      {"optim: {weight_decay: {a: 1}}", "got a mapping"},
      {"optim: {max_grad_norm: none}", "expected a number above 0, or null, got \"none\""},
      {"optim: {warmup_steps: 8.0}", "an integer of at least 0, got \"8.0\"; write 8"},
      {"optim: {warmup_steps: 1e3}", "got \"1e3\"; write 1000"},
      {"optim: {warmup_steps: 1.5}", "got \"1.5\""},
      {"optim: {warmup_steps: -1}", "of at least 0, got -1"},
      {"optim: {warmup_steps: 010}", "write it without leading zeros"},
      {"seed: 9223372036854775808", "it does not fit 64 bits"},
      {"seed: '1'", "write it without quotes"},
      {"data: {shuffle: yes}", "expected true or false, got \"yes\"; write true or false"},
      {"data: {shuffle: off}", "write true or false"},
      {"data: {shuffle: 1}", "write true or false"},
      {"data: {shuffle: 'true'}", "write it without quotes"},
      {"optim: {name: AdamW}", "one of adamw, sgd, lion, got \"AdamW\"; did you mean adamw?"},
      {"optim: {name: true}", "put quotes around it where the text is meant"},
      {"optim: {name: null}", "got nothing (null)"},
      {"data: {columns: text}", "a list of strings, each one of text, label, weight, got \"text\""},
      {"data: {columns: [text, labl]}", "got \"labl\"; did you mean label?"},
      {"data:\n  columns:\n  - text\n  - {a: 1}", "run.yaml:5: data.columns: "},
      {"data: {shares: [0.5, 2]}", "a list of numbers from 0 to 1, got 2"},
      {"data: {mix: {a: 0}}", "a mapping of names to numbers above 0, got 0"},
      {"data: {mix: {a: x}}", "got \"x\""},
      {"data: {names: [a]}", "a mapping of names to names, got a list"},
      {"data: {names: {a: [b]}}", "a mapping of names to names, got a list"},
      {"optim: adamw", "run.yaml:2: optim: expected a mapping of options, got \"adamw\""},
      {"optim: [1]", "expected a mapping of options, got a list"},
  };
  for (const BadValueCase& bad : cases) EXPECT_TRUE(contains(refusal(bad.text), bad.message));
}

TEST(Load, NamesTheNearestOfAnUnknownKey) {
  EXPECT_EQ(refusal("optim:\n  lerning_rate: 1\n"),
            "run.yaml:3: optim.lerning_rate: no such key; did you mean optim.learning_rate?");
  EXPECT_EQ(refusal("learning_rate: 1\n"),
            "run.yaml:2: learning_rate: no such key; did you mean optim.learning_rate?");
  EXPECT_EQ(refusal("", {"optm.name=sgd"}),
            "command line: optm.name=sgd: optm.name: no such key; did you mean optim.name?");
  EXPECT_EQ(
      refusal("optim: {nesterov: true}"),
      "run.yaml:2: optim.nesterov: no such key; `hone explain optim` lists the keys there are");
  EXPECT_EQ(refusal("x: 1"), "run.yaml:2: x: no such key; `hone explain` lists the keys there are");
  EXPECT_TRUE(contains(refusal("optim.name: sgd"), "taken on the command line only; nest it"));
}

TEST(Load, TellsAllProblemsAtOnce) {
  const std::string text =
      "optim:\n  learning_rate: fast\n  nam: sgd\n  weight_decay: -1\n"
      "data: {shuffle: yes, shuffle: no}\nsede: 1\n";
  const std::string message = hone::test::message_of<ConfigError>([&] {
    parse<RunOptions>(text, "run.yaml", {"optim.name=adam", "seed", "=1"});
  });
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 9);
  for (const char* line :
       {"run.yaml:2: optim.learning_rate: expected a number",
        "run.yaml:3: optim.nam: no such key; did you mean optim.name?",
        "run.yaml:4: optim.weight_decay: expected a number of at least 0, got -1",
        "run.yaml:5: data.shuffle: expected true or false",
        "run.yaml:5: data: the key shuffle stands here a second time",
        "run.yaml:6: sede: no such key; did you mean seed?",
        "run.yaml: model.base: has to be set, and is not",
        "command line: optim.name=adam: optim.name: expected one of adamw",
        "command line: seed: expected key=value", "command line: =1: expected key=value"})
    EXPECT_TRUE(contains(message, line));
}

TEST(Load, RequiredKeysAreReportedForAnEmptyFile) {
  for (const char* text : {"", "# nothing\n", "model:\n", "model: {}\n"})
    EXPECT_EQ(hone::test::message_of<ConfigError>([&] { parse<RunOptions>(text, "run.yaml"); }),
              "run.yaml: model.base: has to be set, and is not; expected a string: Folder or name "
              "of the base model.");
  EXPECT_EQ(parse<RunOptions>("", "run.yaml", {"model.base=tiny"}).options.model.base, "tiny");
}

TEST(Load, ARefusedOrWrongValueIsReportedOnce) {
  const auto message = [](const std::string& text) {
    return hone::test::message_of<ConfigError>([&] { parse<RunOptions>(text, "run.yaml"); });
  };
  EXPECT_EQ(message("model: {base: !x tiny}"),
            "run.yaml:1: model.base: tags are not taken; remove \"!x\"");
  EXPECT_EQ(message("model: {base: [1]}"), "run.yaml:1: model.base: expected a string, got a list");
  EXPECT_EQ(message("- a\n"), "run.yaml:1: expected a mapping of sections, got a list");
  EXPECT_TRUE(message("model: [").starts_with("run.yaml:1: this is not valid YAML"));
}

TEST(Load, ChecksSeeTheWholeAndPointAtTheKey) {
  EXPECT_EQ(refusal("optim:\n  warmup_steps: 5\n  warmup_ratio: 0.1\n"),
            "run.yaml:4: optim.warmup_ratio: warmup_steps is set as well; keep one of them");
  EXPECT_EQ(refusal("seed: 13\n", {"optim.name=sgd"}),
            "command line: optim.name=sgd: optim.name: sgd cannot go with seed 13");
  EXPECT_EQ(parse_run("optim: {warmup_steps: 5}").options.optim.warmup_steps, 5);
}

TEST(Load, ChecksWaitUntilTheirOptionsAreRight) {
  const std::string message =
      refusal("optim: {warmup_steps: 5, warmup_ratio: 0.1, name: x}\nseed: y\n");
  EXPECT_FALSE(contains(message, "keep one of them"));
  // A problem elsewhere does not hide what a section's check has to say.
  EXPECT_TRUE(contains(refusal("optim: {warmup_steps: 5, warmup_ratio: 0.1}\nseed: y\n"),
                       "keep one of them"));
}

TEST(Load, OverridesAreYaml) {
  EXPECT_EQ(parse_run("", {"model.revision=a=b"}).options.model.revision, "a=b");
  EXPECT_EQ(parse_run("", {"model.revision="}).options.model.revision, std::nullopt);
  EXPECT_EQ(parse_run("", {"model.revision='a # b'"}).options.model.revision, "a # b");
  EXPECT_TRUE(contains(refusal("", {"data.columns=[text"}),
                       "command line: data.columns=[text: data.columns: this is not valid YAML"));
  EXPECT_TRUE(contains(refusal("", {"model.revision=\xff"}), "byte 0xFF is not UTF-8"));
}

TEST(Load, MessagesKeepToOneLineEach) {
  EXPECT_EQ(refusal("", {"seed=1\x1b\n2"}),
            "command line: seed=1\\x1b\\x0a2: seed: control character 0x1B; remove it");
}

TEST(Load, AMebibyteOfUnknownKeysIsRefusedQuickly) {
  std::string text;
  for (int i = 0; text.size() < kMaxDocumentBytes - 100; ++i)
    text += "learning_" + std::to_string(i) + ": 1\n";
  EXPECT_TRUE(contains(refusal(text), "more problems"));
}

TEST(Load, PathsHaveToExistInTheResolvedConfig) {
  const hone::test::TempFolder folder;
  const std::string file = folder.write("a.jsonl", "").string();
  EXPECT_TRUE(contains(
      refusal("data: {train: [" + file + ", /no/such]}"),
      "run.yaml:2: data.train: there is no file or folder \"/no/such\" (looked for from /"));
  EXPECT_TRUE(contains(refusal("", {"data.template_file=none.jinja"}), "none.jinja"));
  // What an override replaces may be absent.
  EXPECT_EQ(parse_run("data: {train: /no/such}", {"data.train=" + file}).options.data.train[0],
            file);
}

TEST(Load, FilesThatCannotBeReadAreConfigErrors) {
  const hone::test::TempFolder folder;
  const auto message = [](const std::filesystem::path& path) {
    return hone::test::message_of<ConfigError>([&] { load<RunOptions>(path); });
  };
  EXPECT_TRUE(contains(message(folder / "none.yaml"), "No such file or directory"));
  EXPECT_TRUE(contains(message(folder.path()), "is a folder"));
  EXPECT_TRUE(contains(message("/dev/zero"), "longer than 1048576 bytes"));
  EXPECT_TRUE(contains(message(folder.write("bad.yaml", "a: \xff")), "bad.yaml:1: byte 0xFF"));
  EXPECT_EQ(
      load<RunOptions>(folder.write("run.yaml", "model:\r\n  base: tiny\r\n")).options.model.base,
      "tiny");
}

TEST(Dump, ShowsEveryKeyInDeclaredOrder) {
  auto options = defaults<RunOptions>();
  options.model.base = "a b";
  options.data.mix = {{"x", 1e-5}, {"no", 3}};
  options.data.names = {{"a", "null"}, {"b", "c.d"}};
  EXPECT_EQ(dump(options), R"(seed: 42
model:
  base: "a b"
  revision: null
  num_labels: null
  rope_scaling:
    type: none
    factor: 1.0
data:
  train: []
  sources: []
  columns: [text]
  template_file: null
  shares: [0.9, 0.1]
  mix: {"no": 3.0, x: 1.0e-05}
  names: {a: "null", b: c.d}
  shuffle: true
optim:
  name: adamw
  learning_rate: 0.0002
  weight_decay: 0.0
  max_grad_norm: 1.0
  fused: null
  warmup_steps: 0
  warmup_ratio: 0.0
)");
}

TEST(Dump, LoadsAsTheSameOptions) {
  const double tiny = std::numeric_limits<double>::denorm_min();
  for (const double number : {0.1, 1e-4, 1.0 / 3, tiny, 1e300, 123456789012345678.0, 0.0,
                              std::numeric_limits<double>::max(), std::nextafter(1.0, 2.0)}) {
    for (const char* text : {"",
                             " ",
                             "yes",
                             "null",
                             "~",
                             "true",
                             "1",
                             "1e-4",
                             "a: b",
                             "a #b",
                             "#",
                             "- a",
                             "line\nline\n",
                             "\ttab",
                             "\"",
                             "'",
                             "\\",
                             "\\n",
                             "\x01\x1b\x7f",
                             "\xC3\xA9\xF0\x9F\x98\x80",
                             "{}",
                             "[x]",
                             "*a",
                             "&a",
                             "!a",
                             "a\r\nb",
                             "<<",
                             "...",
                             "---",
                             "\xC2\x85",
                             "\xE2\x80\xA8",
                             "\xEF\xBB\xBF",
                             "trailing ",
                             "2024-01-01",
                             "0o17",
                             "=",
                             "|",
                             ">",
                             "%",
                             "@"}) {
      auto options = defaults<RunOptions>();
      options.model.base = text;
      options.model.revision = text;
      options.model.num_labels = std::numeric_limits<std::int64_t>::max();
      options.data.mix = {{text, std::max(number, tiny)}, {"other", 1}};
      options.data.names = {{text, text}, {"other", ""}};
      options.optim.weight_decay = number;
      options.optim.max_grad_norm = std::nullopt;
      options.optim.fused = false;
      const std::string yaml = dump(options);
      const auto again = parse<RunOptions>(yaml, "dump").options;
      EXPECT_EQ(again.model.base, text);
      EXPECT_EQ(again.model.revision, text);
      EXPECT_EQ(again.data.mix, options.data.mix);
      EXPECT_EQ(again.data.names, options.data.names);
      EXPECT_EQ(again.optim.weight_decay, number);
      EXPECT_EQ(dump(again), yaml);
    }
  }
}

TEST(LoadRecords, EachMappingIsReadByItsOwnTable) {
  const auto [options, given] = parse_run(
      "data:\n  sources:\n    - {name: a, weight: 0.5}\n    - name: b\n      max_rows: 7\n");
  ASSERT_EQ(options.data.sources.size(), 2u);
  EXPECT_EQ(options.data.sources[0].name, "a");
  EXPECT_EQ(options.data.sources[0].weight, 0.5);
  EXPECT_EQ(options.data.sources[0].max_rows, std::nullopt);
  EXPECT_EQ(options.data.sources[1].weight, 1.0);
  EXPECT_EQ(options.data.sources[1].max_rows, 7);
  EXPECT_EQ(to_text(given.at("data.sources[1].max_rows")), "run.yaml:6");
}

TEST(LoadRecords, AnOverrideGivesTheWholeList) {
  const auto [options, given] =
      parse_run("data: {sources: [{name: a}]}\n", {"data.sources=[{name: c, weight: 0.25}]"});
  ASSERT_EQ(options.data.sources.size(), 1u);
  EXPECT_EQ(options.data.sources[0].name, "c");
}

TEST(LoadRecords, ProblemsNameTheItemAndTheLine) {
  const std::string refused = refusal(
      "data:\n  sources:\n    - {nam: a}\n    - {name: b, weight: -1}\n    - 3\n"
      "    - {name: d, files: /no/such/file}\n    - {name: e, weight: 2}\n");
  EXPECT_TRUE(contains(refused,
                       "run.yaml:4: \"data.sources[0].nam\": no such key; did you mean "
                       "name?"));
  EXPECT_TRUE(contains(refused, "run.yaml:4: \"data.sources[0].name\": has to be set"));
  EXPECT_TRUE(
      contains(refused, "run.yaml:5: \"data.sources[1].weight\": expected a number above 0"));
  EXPECT_TRUE(contains(refused, "run.yaml:6: \"data.sources[2]\": expected a mapping of options"));
  EXPECT_TRUE(contains(refused, "run.yaml:7: \"data.sources[3].files\": there is no file"));
  EXPECT_FALSE(contains(refused, "data.sources[4]"));  // checks wait until each value is right
  EXPECT_TRUE(contains(refusal("data: {sources: [{name: e, weight: 2}]}\n"),
                       "run.yaml:2: \"data.sources[0].weight\": is above 1 and max_rows"));
  EXPECT_TRUE(contains(refusal("data: {sources: {name: e}}\n"), "expected a list of mappings"));
}

TEST(LoadRecords, TheDumpReadsAsTheSameAgain) {
  const auto loaded = parse_run("data: {sources: [{name: 'a: b', weight: 0.1}, {name: c}]}\n");
  const auto again = parse<RunOptions>(dump(loaded.options), "dump.yaml");
  ASSERT_EQ(again.options.data.sources.size(), 2u);
  EXPECT_EQ(again.options.data.sources[0].name, "a: b");
  EXPECT_EQ(again.options.data.sources[0].weight, 0.1);
  EXPECT_EQ(dump(again.options), dump(loaded.options));
}

}  // namespace
}  // namespace hone::config
