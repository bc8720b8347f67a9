#include <fstream>

#include "base/file.h"
#include "base/hash.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// Where a checkpoint, an adapter or a model came from, and how it could be made again.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

constexpr const char* kAdapter = "{method: lora, r: 4, lora_dropout: 0.1}";

json lineage_of(const fs::path& folder) {
  const Finished finished = run_hone({"lineage", folder, "--json"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out).at("lineage");
}

void train(const TinyRun& run, const std::vector<std::string>& options) {
  const Finished finished = run_hone(run.train(options));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
}

/// A config that is made again, and what the verb said.
struct Again {
  fs::path config, output;
  Finished finished;
  json report;
};

Again reproduce(const TinyRun& run, const fs::path& made) {
  Again again{run.folder / "again.yaml", run.folder / "again", {}, {}};
  again.finished = run_hone(
      {"reproduce", made, "--config", again.config, "--output-dir", again.output, "--json"});
  if (!again.finished.out.empty()) again.report = json::parse(again.finished.out);
  return again;
}

std::string verdict_on(const json& report, const std::string& file) {
  for (const json& input : report.at("inputs"))
    if (fs::path(input["path"].get<std::string>()).filename() == file) return input["verdict"];
  return "not told of";
}

std::string adapter_in(const fs::path& run) {
  return read_file(run / "adapter" / "adapter_model.safetensors");
}

TEST(Lineage, NamesAllThatARunWasMadeOfInEachFolderThatItLeaves) {
  const TinyRun run(kAdapter);
  train(run, {"train.max_steps=4", "checkpoint.save_steps=2", "data.license=CC-BY-4.0"});
  const fs::path rows = test::fixture("train/data/sft.jsonl");
  for (const char* folder : {"", "adapter", "checkpoints/step-2", "checkpoints/step-4"}) {
    const json lineage = lineage_of(run.output() / folder);
    EXPECT_EQ(lineage["made_by"], "train");
    EXPECT_EQ(lineage["base"]["sha256"],
              sha256_file(test::fixture("train/_base") / "model.safetensors"));
    ASSERT_EQ(lineage["data"].size(), 1u);
    const json& data = lineage["data"][0];
    EXPECT_EQ(data["name"], "data.train");
    EXPECT_EQ(data["license"], "CC-BY-4.0");
    EXPECT_EQ(data["rows"], 160);
    EXPECT_GT(data["tokens"], data["trained_tokens"]);
    EXPECT_EQ(data["files"][0]["path"], rows.string());
    EXPECT_EQ(data["files"][0]["sha256"], sha256_file(rows));
    EXPECT_EQ(lineage["config"], read_file(run.output() / "config.resolved.yaml"));
    EXPECT_FALSE(lineage["code"]["commit"].get<std::string>().empty());
    EXPECT_EQ(lineage["machine"]["precision"], "fp32");
    EXPECT_EQ(lineage["parents"], json::array());
  }
  const Finished tree = run_hone({"lineage", run.output() / "adapter"});
  EXPECT_TRUE(contains(tree.out, "licence CC-BY-4.0"));
  EXPECT_TRUE(contains(tree.out, sha256_file(rows).substr(0, 16)));
}

TEST(Lineage, NamesTokenizerAndTemplateAndMissesThemWhereTheyChange) {
  const TinyRun run(kAdapter);
  const fs::path model = test::write_text_model(run.folder, "model");
  const fs::path rows = run.folder.write(
      "chat.jsonl",
      R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]})"
      "\n");
  const fs::path jinja = run.folder.write(
      "own.jinja", "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}");
  train(run, {"train.max_steps=1", "model.base=" + model.string(), "data.train=" + rows.string(),
              "data.template=" + jinja.string()});
  const json lineage = lineage_of(run.output());
  EXPECT_EQ(lineage["tokenizer"]["path"], model.string());
  EXPECT_EQ(lineage["chat_template"]["path"], jinja.string());
  EXPECT_EQ(lineage["chat_template"]["sha256"], sha256_file(jinja));
  EXPECT_EQ(reproduce(run, run.output()).finished.exit_code, 0);

  std::ofstream(jinja, std::ios::app) << " ";
  json tokenizer = json::parse(read_file(model / "tokenizer.json"));
  tokenizer["truncation"] = nullptr;
  write_file_atomically(model / "tokenizer.json", tokenizer.dump());
  const Again again = reproduce(run, run.output());
  EXPECT_EQ(again.finished.exit_code, 2);
  EXPECT_EQ(verdict_on(again.report, "own.jinja"), "changed");
  EXPECT_EQ(again.report["inputs"][1]["what"], "tokenizer");
  EXPECT_EQ(again.report["inputs"][1]["verdict"], "changed");
}

TEST(Lineage, ReachesThroughAdaptersThatWereGoneOnFromAndModelsThatWereMerged) {
  const TinyRun first(kAdapter), second(kAdapter), third("{method: full}");
  train(first, {"train.max_steps=2", "data.license=first rows"});
  const std::string adapter = (first.output() / "adapter").string();
  train(second, {"train.max_steps=2", "adapter.init_from=" + adapter});
  const json init_from = lineage_of(second.output()).at("parents").at(0);
  EXPECT_EQ(init_from["relation"], "init_from");
  EXPECT_EQ(init_from["path"], adapter);
  EXPECT_EQ(init_from["lineage"], lineage_of(adapter));

  const fs::path merged = second.folder / "merged";
  ASSERT_EQ(run_hone({"merge", "--model", test::fixture("train/_base"), "--adapter",
                      second.output() / "adapter", "--output", merged})
                .exit_code,
            0);
  train(third, {"train.max_steps=2", "model.base=" + merged.string()});
  const json base = lineage_of(third.output() / "model").at("parents").at(0);
  EXPECT_EQ(base["relation"], "base");
  EXPECT_EQ(base["lineage"]["made_by"], "merge");
  const Finished tree = run_hone({"lineage", third.output()});
  EXPECT_TRUE(contains(tree.out, "licence first rows")) << "three generations on";
  EXPECT_EQ(run_hone({"reproduce", merged, "--config", second.folder / "no.yaml"}).exit_code, 2);
}

TEST(Lineage, TellsOfTheCheckpointsThatARunWentOnFrom) {
  const TinyRun run(kAdapter);
  train(run, {"train.max_steps=2"});
  const std::string manifest =
      sha256_file(run.output() / "checkpoints" / "step-2" / "manifest.json");
  train(run, {"train.max_steps=4", "--resume", "auto"});
  const json resumptions = lineage_of(run.output()).at("resumptions");
  ASSERT_EQ(resumptions.size(), 1u);
  EXPECT_EQ(resumptions[0]["step"], 2);
  EXPECT_EQ(resumptions[0]["manifest_sha256"], manifest);
  // The schedule's length was another one up to there, which no single run repeats.
  const Again again = reproduce(run, run.output());
  EXPECT_EQ(again.finished.exit_code, 0) << again.finished.err;
  EXPECT_TRUE(contains(again.report.at("notes").dump(), "train.max_steps"));
}

TEST(Lineage, OfAFolderThatTellsNothingIsRefused) {
  const test::TempFolder folder;
  for (const char* verb : {"lineage", "reproduce"}) {
    const Finished finished = run_hone({verb, folder.path()});
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_TRUE(contains(finished.err, "manifest.json"));
  }
}

TEST(Reproduce, GivesTheSameBits) {
  const TinyRun run(kAdapter);
  train(run, {"data.shuffle=true", "train.max_steps=6", "train.precision=auto", "--seed", "7"});
  for (const char* folder : {"adapter", "checkpoints/step-6"}) {
    const Again again = reproduce(run, run.output() / folder);
    ASSERT_EQ(again.finished.exit_code, 0) << again.finished.err;
    EXPECT_EQ(again.report["holds"], true);
    EXPECT_EQ(again.report["notes"], json::array());
    EXPECT_FALSE(contains(read_file(again.config), "precision: auto"));
    fs::remove_all(again.output);
    ASSERT_EQ(run_hone({"train", again.config}).exit_code, 0);
    EXPECT_EQ(adapter_in(again.output), adapter_in(run.output()));
  }
}

TEST(Reproduce, SaysWhichInputsAreNotWhatTheyWere) {
  const TinyRun run(kAdapter);
  const fs::path rows = run.folder / "rows", base = run.folder / "base";
  fs::create_directory(rows);
  fs::copy(test::fixture("train/_base"), base);
  for (const char* name : {"a.jsonl", "b.jsonl", "c.jsonl"})
    fs::copy(test::fixture("train/data/sft.jsonl"), rows / name);
  train(run, {"train.max_steps=1", "data.train=" + (rows / "*.jsonl").string(),
              "model.base=" + base.string()});
  EXPECT_EQ(reproduce(run, run.output()).finished.exit_code, 0);

  std::ofstream(rows / "a.jsonl", std::ios::app) << "{\"input_ids\":[1,2],\"labels\":[1,2]}\n";
  std::ofstream(rows / "d.jsonl") << "{\"input_ids\":[1,2],\"labels\":[1,2]}\n";
  Again again = reproduce(run, run.output());
  EXPECT_EQ(again.finished.exit_code, 2);
  EXPECT_EQ(again.report["holds"], false);
  EXPECT_EQ(verdict_on(again.report, "a.jsonl"), "changed");
  EXPECT_EQ(verdict_on(again.report, "b.jsonl"), "holds");
  EXPECT_EQ(verdict_on(again.report, "d.jsonl"), "new");
  EXPECT_EQ(verdict_on(again.report, "base"), "holds");
  EXPECT_TRUE(fs::exists(again.config)) << "it is written all the same";

  fs::remove(rows / "b.jsonl");
  std::string weights = read_file(base / "model.safetensors");
  weights.back() = char(weights.back() ^ 1);
  write_file_atomically(base / "model.safetensors", weights);
  again = reproduce(run, run.output());
  EXPECT_EQ(verdict_on(again.report, "b.jsonl"), "missing");
  EXPECT_EQ(verdict_on(again.report, "base"), "changed");
}

}  // namespace
}  // namespace hone
