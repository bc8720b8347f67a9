#include <cmath>

#include "base/file.h"
#include "trainers/compare.h"
#include "trainers/preference_runs.h"

// Issue 8, point 2: each method × what is trained × how a step is cut × resume gives the same
// numbers.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::preference_run;
using test::run_hone;
using test::steps_of;
using test::TinyRun;

struct Trained {
  const char* name;
  const char* adapter;
  std::vector<std::string> options;
};

struct Method {
  const char* name;
  const char* method;
  std::vector<std::string> options;
  std::vector<std::string> metrics = {"rewards/chosen", "logps/rejected"};  ///< that it reports
};

using Cell = std::tuple<Method, Trained>;

class PreferenceMatrix : public testing::TestWithParam<Cell> {
 protected:
  std::vector<std::string> options(std::vector<std::string> more) const {
    const auto& [method, trained] = GetParam();
    std::vector<std::string> all = preference_run(
        method.method, {"train.max_steps=4", "schedule.warmup_steps=1", "checkpoint.save_steps=2"});
    for (const auto* list : {&method.options, &trained.options, &std::as_const(more)})
      all.insert(all.end(), list->begin(), list->end());
    return all;
  }
  TinyRun new_run() const { return TinyRun(std::get<1>(GetParam()).adapter); }
  fs::path product(const TinyRun& run) const {
    const fs::path adapter = run.output() / "adapter" / "adapter_model.safetensors";
    return fs::exists(adapter) ? adapter : run.output() / "model" / "model.safetensors";
  }
};

TEST_P(PreferenceMatrix, GivesTheSameNumbers) {
  // Eight rows a step: four micro-batches of two, packed; one of eight; each row by itself.
  const TinyRun accumulated = new_run(), whole = new_run(), single = new_run();
  const std::vector<json> steps = steps_of(accumulated, options({}));
  const std::vector<json> of_whole = steps_of(
      whole,
      options({"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"}));
  const std::vector<json> of_single = steps_of(
      single, options({"train.tokens_per_device_batch=1", "train.gradient_accumulation_steps=8"}));
  ASSERT_EQ(steps.size(), 4u);
  std::vector<std::string> keys = {"loss", "grad_norm"};
  const std::vector<std::string>& more = std::get<0>(GetParam()).metrics;
  keys.insert(keys.end(), more.begin(), more.end());
  for (const auto& [run, other] : {std::pair(&whole, &of_whole), std::pair(&single, &of_single)}) {
    ASSERT_EQ(other->size(), steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i)
      for (const std::string& key : keys) {
        const double got = (*other)[i][key], want = steps[i][key];
        EXPECT_NEAR(got, want, 1e-5 * std::max(1.0, std::abs(want))) << key << " of step " << i + 1;
      }
    EXPECT_LT(test::relative_difference(product(*run), product(accumulated)), 1e-4);
  }

  // From the middle, to the same bits.
  const std::string before = read_file(product(accumulated));
  const fs::path checkpoint = accumulated.output() / "checkpoints" / "step-2";
  const test::Finished resumed =
      run_hone(accumulated.train(options({"--resume", checkpoint.string()})));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(read_file(product(accumulated)), before);
}

const Method kDpo = {"dpo", "dpo", {}}, kKto = {"kto", "kto", {}},
             kBco = {"bco", "kto", {"kto.loss_type=bco"}}, kOrpo = {"orpo", "orpo", {}},
             kSimpo = {"simpo", "orpo", {"orpo.loss_type=simpo", "orpo.beta=2"}},
             kReward = {"reward", "reward", {}, {"accuracy", "margin"}};
const Trained kLora = {"lora", "{method: lora, r: 4}", {}},
              kDora = {"dora", "{method: dora, r: 4}", {}},
              kQlora = {"qlora", "{method: lora, r: 4}", {"model.quantization=nf4"}},
              kFull = {"full", "{method: full}", {}};

const auto name_of = [](const testing::TestParamInfo<Cell>& one) {
  return std::string(std::get<0>(one.param).name) + "_" + std::get<1>(one.param).name;
};

// Every method, and everything that is trained, at least once; the other cells are slow.
INSTANTIATE_TEST_SUITE_P(Methods, PreferenceMatrix,
                         testing::Combine(testing::Values(kDpo, kKto, kBco, kOrpo, kReward),
                                          testing::Values(kLora, kFull)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Adapters, PreferenceMatrix,
                         testing::Combine(testing::Values(kDpo, kReward),
                                          testing::Values(kDora, kQlora)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(SlowMethods, PreferenceMatrix,
                         testing::Combine(testing::Values(kKto, kBco, kOrpo, kSimpo),
                                          testing::Values(kDora, kQlora)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(SlowSimpo, PreferenceMatrix,
                         testing::Combine(testing::Values(kSimpo), testing::Values(kLora, kFull)),
                         name_of);

// What a step needs of the past beside masters and moments is in the checkpoint.
TEST(PreferenceResume, AReferenceThatFollowsGoesOnToTheBit) {
  for (const char* adapter : {"{method: full}", "{method: lora, r: 4}"}) {
    const TinyRun run(adapter);
    std::vector<std::string> options = preference_run(
        "dpo", {"train.max_steps=4", "schedule.warmup_steps=0", "checkpoint.save_steps=2",
                "dpo.sync_ref_model=true", "dpo.ref_model_sync_steps=1"});
    if (adapter == std::string("{method: lora, r: 4}"))
      options.emplace_back("dpo.reference=initial_adapter");
    const std::vector<json> followed = steps_of(run, options);
    const fs::path product = fs::exists(run.output() / "adapter")
                                 ? run.output() / "adapter" / "adapter_model.safetensors"
                                 : run.output() / "model" / "model.safetensors";
    const std::string before = read_file(product);
    options.insert(options.end(), {"--resume", (run.output() / "checkpoints" / "step-2").string()});
    const test::Finished resumed = run_hone(run.train(options));
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(read_file(product), before);
    // A reference that is nearly the policy leaves small rewards.
    const TinyRun still(adapter);
    options.resize(options.size() - 2);
    for (std::string& option : options)
      if (option == "dpo.sync_ref_model=true") option = "dpo.sync_ref_model=false";
    const std::vector<json> fixed = steps_of(still, options);
    EXPECT_LT(std::abs(followed.back()["rewards/margins"].get<double>()),
              0.8 * std::abs(fixed.back()["rewards/margins"].get<double>()));
  }
}

}  // namespace
}  // namespace hone
