#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "io/json.h"
#include "support/tiny_run.h"

// What a user gets who gives something wrong: a clear message, a non-zero exit, and nothing lost.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

constexpr const char* kLora = "{method: lora, r: 4}";

void expect_refused(const Finished& finished, const std::vector<std::string>& parts,
                    int exit_code = 2) {
  EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
  for (const std::string& part : parts) EXPECT_TRUE(contains(finished.err, part));
  EXPECT_TRUE(finished.out.empty()) << finished.out;
}

TEST(BadInput, UnknownKeysAndWrongTypesAreToldTogether) {
  const test::TempFolder folder;
  const fs::path config = folder.write("c.yaml",
                                       "model: {base: x}\n"
                                       "optim:\n"
                                       "  learning_rat: 1e-4\n"
                                       "train:\n"
                                       "  max_steps: many\n");
  for (const char* verb : {"train", "check", "eval"})
    expect_refused(
        run_hone({verb, config.string()}),
        {"c.yaml:3: optim.learning_rat", "learning_rate", "c.yaml:5: train.max_steps", "many"});
}

TEST(BadInput, MissingFilesAreNamed) {
  expect_refused(run_hone({"train", "/no/such.yaml"}), {"/no/such.yaml"});
  const TinyRun run(kLora);
  expect_refused(run_hone(run.train({"data.train=/no/rows.jsonl"})), {"/no/rows.jsonl"});
  expect_refused(run_hone(run.train({"model.base=/no/model"})), {"/no/model"});
  expect_refused(run_hone(run.train({"adapter.init_from=/no/adapter"})), {"/no/adapter"});
  EXPECT_FALSE(fs::exists(run.output() / "run.json"));
}

/// The tiny base model with one of its files changed.
fs::path spoilt_model(const test::TempFolder& folder, const std::string& name,
                      const std::function<void(std::string&)>& spoil) {
  const fs::path model = folder / "model";
  fs::create_directory(model);
  for (const char* file : {"config.json", "model.safetensors"}) {
    std::string content = read_file(test::fixture("train/_base") / file);
    if (file == name) spoil(content);
    folder.write(std::string("model/") + file, content);
  }
  return model;
}

TEST(BadInput, ATruncatedSafetensorsFileIsRefused) {
  const test::TempFolder folder;
  const fs::path model = spoilt_model(folder, "model.safetensors", [](std::string& content) {
    content.resize(content.size() - 1000);
  });
  const TinyRun run(kLora);
  expect_refused(run_hone(run.train({"model.base=" + model.string()})),
                 {"model.safetensors", "1000"});
}

TEST(BadInput, AGgufWithAFlippedHeaderByteIsRefused) {
  const test::TempFolder folder;
  const fs::path gguf =
      folder.write("bad.gguf", std::string("GGUX\3\0\0\0", 8) + std::string(64, '\0'));
  expect_refused(run_hone({"logprobs", "--model", gguf.string(), "--input", "-"}), {"bad.gguf"});
}

TEST(BadInput, PickleIsNeverRead) {
  const test::TempFolder folder;
  const fs::path pickle = folder.write("pytorch_model.bin", "x");
  expect_refused(run_hone({"logprobs", "--model", pickle.string(), "--input", "-"}),
                 {"pytorch_model.bin", "safetensors"});
}

TEST(BadInput, RowsAreNamedWithFileAndLine) {
  const test::TempFolder folder;
  const TinyRun run(kLora);
  const auto with_rows = [&](const std::string& rows) {
    const fs::path file = folder.write("rows.jsonl", "{\"input_ids\": [1, 2, 3]}\n" + rows);
    return run_hone(run.train({"data.train=" + file.string()}));
  };
  expect_refused(with_rows("{\"input_ids\": [1, 2"), {"rows.jsonl:2"});
  expect_refused(with_rows("{\"input_ids\": \"\xff\"}"), {"rows.jsonl:2", "UTF-8"});
  expect_refused(with_rows("{\"input_ids\": [1, 2], \"labels\": [1]}"), {"rows.jsonl:2", "labels"});
  expect_refused(with_rows("{\"input_ids\": [1, 9999999]}"), {"rows.jsonl:2", "9999999"});
  EXPECT_FALSE(fs::exists(run.output() / "run.json"));
}

TEST(BadInput, RowsWithNothingToTrainOnAreRefused) {
  const test::TempFolder folder;
  const TinyRun run(kLora);
  const fs::path file =
      folder.write("rows.jsonl", "{\"input_ids\": [1, 2, 3], \"labels\": [-100, -100, -100]}\n");
  expect_refused(run_hone(run.train({"data.train=" + file.string()})), {"trained on"});
}

TEST(BadInput, AnUnknownVerbOrOptionIsRefused) {
  expect_refused(run_hone({"trian", "x.yaml"}), {"trian"});
  expect_refused(run_hone({"train", "x.yaml", "--resme", "auto"}), {"--resme"});
  expect_refused(run_hone({}), {"--help"});
}

TEST(BadInput, ADeviceThatIsNotThereIsRefused) {
  const TinyRun run(kLora);
  const Finished finished = run_hone(run.train({"--device", "tpu"}));
  expect_refused(finished, {"tpu", "cuda:N"});
}

/// A disk of 1 MiB that a test may fill; needs root.
class SmallDisk {
 public:
  SmallDisk() { mounted_ = mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=1m") == 0; }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const fs::path& path() const { return folder_.path(); }

 private:
  test::TempFolder folder_;
  bool mounted_ = false;
};

TEST(BadInput, AFullDiskEndsTheRunAndKeepsTheLastCheckpoint) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small file system needs root";
  const TinyRun run(kLora);
  const fs::path out = disk.path() / "run";
  // A checkpoint of this adapter takes some 130 kB: a few fit, twenty do not.
  const Finished finished = run_hone(run.train(
      {"train.output_dir=" + out.string(), "checkpoint.save_steps=1", "checkpoint.keep_last=0"}));
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, "No space left on device"));
  EXPECT_TRUE(contains(finished.err, out.string()));
  // Room again: the run goes on from what it had.
  const Finished resumed =
      run_hone(run.train({"train.output_dir=" + out.string(), "checkpoint.save_steps=0",
                          "checkpoint.keep_last=1", "--resume", "auto"}));
  ASSERT_EQ(mount("tmpfs", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  const Finished again = run_hone(run.train(
      {"train.output_dir=" + out.string(), "checkpoint.keep_last=1", "--resume", "auto"}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_TRUE(contains(again.err, "resume  after step")) << resumed.err;
}

double cpu_seconds_of_children() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return double(time.tv_sec) + 1e-6 * double(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Measured as processor time, which other programs on the machine do not add to.
TEST(QuickAnswers, HelpExplainAndAWrongConfigTakeWellUnderHalfASecond) {
  const test::TempFolder folder;
  const std::string wrong = folder.write("c.yaml", "optim: {learning_rat: 1}\n").string();
  const std::vector<std::vector<std::string>> commands = {
      {"--help"}, {"explain"}, {"explain", "optim.learning_rate"}, {"check", wrong}};
  for (const auto& command : commands) {
    const double before = cpu_seconds_of_children();
    run_hone(command);
    EXPECT_LT(cpu_seconds_of_children() - before, 0.5) << command.front();
  }
}

TEST(QuickAnswers, ExplainNamesTypeDefaultAndRange) {
  const Finished one = run_hone({"explain", "optim.learning_rate"});
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_TRUE(contains(one.out, "learning_rate"));
  const Finished json = run_hone({"explain", "optim.learning_rate", "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["options"].size(), 1u);
  expect_refused(run_hone({"explain", "optim.learning_rat"}), {"learning_rate"});
}

}  // namespace
}  // namespace hone
