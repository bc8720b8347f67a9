#include <cmath>

#include "base/file.h"
#include "trainers/compare.h"
#include "trainers/preference_runs.h"

// What a policy is measured against, and where what it says is kept.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::preference_run;
using test::run_hone;
using test::steps_of;
using test::TinyRun;

const std::string kGolden = "train/dpo_lora/adapter_init";

std::string trained_adapter() {
  return "{method: lora, init_from: '" + test::fixture(kGolden).string() + "'}";
}

json first_step(const std::string& adapter, const std::string& reference) {
  const TinyRun run(adapter);
  return steps_of(run, preference_run("dpo", {"dpo.reference=" + reference, "train.max_steps=1"}))
      .at(0);
}

TEST(Reference, IsWhatTheConfigSays) {
  // An adapter that is not new is away from the base, not from itself.
  EXPECT_GT(std::abs(first_step(trained_adapter(), "base")["rewards/chosen"].get<double>()), 1e-3);
  const json own = first_step(trained_adapter(), "initial_adapter");
  EXPECT_EQ(own["rewards/chosen"].get<double>(), 0.0);
  EXPECT_NEAR(own["loss"].get<double>(), std::log(2.0), 1e-6);
  const json none = first_step(trained_adapter(), "none");
  EXPECT_NEAR(none["rewards/chosen"].get<double>(), 0.1 * none["logps/chosen"].get<double>(), 1e-5);
  // The model that is trained, as another one, is its base.
  const json other = first_step(trained_adapter(), test::fixture("train/_base").string());
  const json base = first_step(trained_adapter(), "base");
  EXPECT_EQ(other["loss"], base["loss"]);
}

TEST(Reference, IsRefusedWhereThereIsNone) {
  const auto refusal = [](const std::string& adapter, std::vector<std::string> options) {
    const TinyRun run(adapter);
    const test::Finished finished = run_hone(run.train(preference_run("dpo", options)));
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    return finished.err;
  };
  EXPECT_TRUE(test::contains(refusal("{method: full}", {"dpo.reference=initial_adapter"}),
                             "initial_adapter needs an adapter"));
  EXPECT_TRUE(test::contains(refusal("{method: full}", {"dpo.reference=/no/model"}), "/no/model"));
  EXPECT_TRUE(test::contains(refusal("{method: lora, r: 4}", {"dpo.sync_ref_model=true"}),
                             "reference: initial_adapter"));
  EXPECT_TRUE(
      test::contains(refusal("{method: full}", {"dpo.sync_ref_model=true", "dpo.reference=none"}),
                     "dpo.sync_ref_model"));
}

// Its numbers are those of another batching, so they agree to rounding; from then on they are the
// same for every run, whatever its beta.
TEST(ReferenceCache, IsMadeOnceAndSharedByRunsAndBetas) {
  const test::TempFolder folder;
  const auto cached = [&](const TinyRun& run, const std::string& beta) {
    return run_hone(run.train(preference_run(
        "dpo", {"dpo.reference_cache=" + (folder / "cache").string(), "dpo.beta=" + beta})));
  };
  const TinyRun plain("{method: full}"), first("{method: full}"), second("{method: full}"),
      third("{method: full}");
  steps_of(plain, preference_run("dpo"));
  const test::Finished made = cached(first, "0.1");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_TRUE(test::contains(made.err, "160 rows are computed"));
  EXPECT_LT(test::relative_difference(first.output() / "model" / "model.safetensors",
                                      plain.output() / "model" / "model.safetensors"),
            1e-5);

  const test::Finished found = cached(second, "0.1");
  ASSERT_EQ(found.exit_code, 0) << found.err;
  EXPECT_FALSE(test::contains(found.err, "are computed"));
  EXPECT_EQ(read_file(first.output() / "model" / "model.safetensors"),
            read_file(second.output() / "model" / "model.safetensors"));
  EXPECT_FALSE(test::contains(cached(third, "0.3").err, "are computed"));
}

TEST(ReferenceCache, IsMadeAnewWhereItIsDamagedOrOfSomethingElse) {
  const test::TempFolder folder;
  const auto run_of = [&](const std::string& adapter, std::vector<std::string> more) {
    const TinyRun run(adapter);
    more.insert(more.end(),
                {"dpo.reference_cache=" + (folder / "cache").string(), "train.max_steps=1"});
    const test::Finished finished = run_hone(run.train(preference_run("dpo", more)));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.err;
  };
  EXPECT_TRUE(test::contains(run_of("{method: full}", {}), "are computed"));
  EXPECT_FALSE(test::contains(run_of("{method: lora, r: 4}", {}), "are computed"))
      << "the base is the same, whatever is trained";
  EXPECT_TRUE(test::contains(run_of("{method: full}", {"dpo.ld_alpha=0.5"}), "are computed"))
      << "other weights";
  EXPECT_TRUE(
      test::contains(run_of(trained_adapter(), {"dpo.reference=initial_adapter"}), "are computed"))
      << "another model";
  for (const auto& entry : fs::directory_iterator(folder / "cache")) {
    std::string content = read_file(entry.path());
    content.resize(content.size() / 2);
    folder.write("cache/" + entry.path().filename().string(), content);
  }
  const std::string said = run_of("{method: full}", {});
  EXPECT_TRUE(test::contains(said, "is damaged"));
  EXPECT_TRUE(test::contains(said, "are computed"));
}

TEST(ReferenceCache, GoesOnToTheBit) {
  for (const char* method : {"dpo", "kto"}) {
    const TinyRun run("{method: lora, r: 4}");
    std::vector<std::string> options = preference_run(
        method, {std::string(method) + ".reference_cache=" + (run.folder / "cache").string(),
                 "train.max_steps=4", "checkpoint.save_steps=2"});
    steps_of(run, options);
    const fs::path product = run.output() / "adapter" / "adapter_model.safetensors";
    const std::string before = read_file(product);
    options.insert(options.end(), {"--resume", (run.output() / "checkpoints" / "step-2").string()});
    ASSERT_EQ(run_hone(run.train(options)).exit_code, 0);
    EXPECT_EQ(read_file(product), before);
  }
}

}  // namespace
}  // namespace hone
