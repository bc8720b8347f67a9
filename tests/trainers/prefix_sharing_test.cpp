#include "base/file.h"
#include "trainers/preference_runs.h"
#include "trainers/trajectory.h"

// DPO with the prompt of each pair computed once, against both documents written out.

namespace hone {
namespace {

using nlohmann::json;
using test::preference_run;
using test::product_of;
using test::run_hone;
using test::steps_of;
using test::TinyRun;

constexpr const char* kLora = "{method: lora, r: 4}";

std::vector<std::string> sharing(const std::string& choice, const std::vector<std::string>& more) {
  std::vector<std::string> options = preference_run(
      "dpo", {"train.max_steps=3", "schedule.warmup_steps=0", "dpo.prefix_sharing=" + choice});
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

/// Log-probabilities are sums of some 50 nats in fp32, and rewards small differences of them; which
/// answer of a pair is ahead is up to rounding where the policy has not moved yet.
void expect_same(const std::vector<json>& got, const std::vector<json>& want,
                 const std::string& prefix = "") {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    for (const char* key :
         {"loss", "rewards/chosen", "rewards/rejected", "rewards/margins", "logps/chosen",
          "logps/rejected", "kl", "drift", "margin_per_token", "entropy"}) {
      const double x = got[i].at(prefix + key), y = want[i].at(prefix + key);
      EXPECT_NEAR(x, y, 1e-5 * std::max(1.0, std::abs(y))) << prefix << key << " of " << i + 1;
    }
}

struct Way {
  std::string name, adapter;
  std::vector<std::string> options;
};

class DpoPrefixSharing : public testing::TestWithParam<Way> {};

TEST_P(DpoPrefixSharing, GivesTheNumbersOfWholeDocuments) {
  const auto& [name, adapter, options] = GetParam();
  const TinyRun shared(adapter), plain(adapter);
  const std::vector<json> got = steps_of(shared, sharing("always", options));
  const std::vector<json> want = steps_of(plain, sharing("never", options));
  expect_same(got, want);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double norm = want[i]["grad_norm"];
    EXPECT_NEAR(got[i]["grad_norm"].get<double>(), norm, 1e-4 * norm) << "step " << i + 1;
    EXPECT_EQ(got[i]["tokens"], want[i]["tokens"]);
    EXPECT_EQ(got[i]["trained_tokens"], want[i]["trained_tokens"]);
  }
  EXPECT_LT(test::relative_difference(product_of(shared), product_of(plain)), 1e-4);
}

std::vector<Way> ways() {
  std::vector<Way> all;
  for (const char* type :
       {"sigmoid", "hinge", "ipo", "robust", "exo_pair", "nca_pair", "bco_pair", "sppo_hard", "aot",
        "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm"})
    all.push_back({type, kLora, {std::string("dpo.loss_type=") + type}});
  const std::vector<Way> others = {
      {"smoothed", kLora, {"dpo.label_smoothing=0.1"}},
      {"desensitised", kLora, {"dpo.ld_alpha=0.5"}},
      {"weighted", kLora, {"dpo.use_weighting=true"}},
      {"rpo", kLora, {"dpo.rpo_alpha=0.5"}},
      {"divergence", kLora, {"dpo.f_divergence_type=js_divergence"}},
      {"follows",
       kLora,
       {"dpo.reference=initial_adapter", "dpo.sync_ref_model=true", "dpo.ref_model_sync_steps=1"}},
      {"other_model", kLora, {"dpo.reference=" + test::fixture("train/_base").string()}},
      {"dora", "{method: dora, r: 4}", {}},
      {"qlora", kLora, {"model.quantization=nf4"}},
      {"prompt_tuning", "{method: prompt_tuning, num_virtual_tokens: 3}", {}},
      {"full", "{method: full}", {}},
      {"one_by_one",
       kLora,
       {"train.tokens_per_device_batch=1", "train.gradient_accumulation_steps=8"}},
      {"packed",
       kLora,
       {"train.tokens_per_device_batch=200", "train.gradient_accumulation_steps=2"}},
      {"whole_step",
       kLora,
       {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"}},
      {"recomputed", kLora, {"train.gradient_checkpointing=every_layer"}}};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ways, DpoPrefixSharing, testing::ValuesIn(ways()),
                         [](const auto& one) { return one.param.name; });

TEST(DpoPrefixSharing, EvaluatesTheSame) {
  const std::string rows = "data.eval=" + test::fixture("train/data/pref.jsonl").string();
  const auto evaluated = [&](const std::string& choice) {
    const TinyRun run(kLora);
    steps_of(run, sharing(choice, {rows, "eval.tokens_per_device_batch=100"}));
    return test::read_jsonl(run.output() / "metrics.jsonl").back();
  };
  expect_same({evaluated("always")}, {evaluated("never")}, "eval_");
}

// What a reference says is the same to rounding, so one cache serves both.
TEST(DpoPrefixSharing, AReferenceCacheServesBoth) {
  const test::TempFolder folder;
  const std::string cache = "dpo.reference_cache=" + (folder / "cache").string();
  const TinyRun without(kLora), made(kLora), found(kLora);
  const std::vector<json> want = steps_of(without, sharing("never", {}));
  const auto finished = [&](const TinyRun& run, const char* choice) {
    const test::Finished ended = run_hone(run.train(sharing(choice, {cache})));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    expect_same(test::read_jsonl(run.output() / "metrics.jsonl"), want);
    return ended.err;
  };
  EXPECT_TRUE(test::contains(finished(made, "always"), "are computed into"));
  EXPECT_FALSE(test::contains(finished(found, "never"), "are computed into"));
}

TEST(DpoPrefixSharing, GoesOnToTheBit) {
  const TinyRun run(kLora);
  std::vector<std::string> options =
      sharing("always", {"train.max_steps=4", "checkpoint.save_steps=2"});
  steps_of(run, options);
  const std::string before = read_file(product_of(run));
  options.insert(options.end(), {"--resume", (run.output() / "checkpoints" / "step-2").string()});
  ASSERT_EQ(run_hone(run.train(options)).exit_code, 0);
  EXPECT_EQ(read_file(product_of(run)), before);
}

// Dropout drops a shared prompt once: another draw than that of two documents, so `auto` leaves it.
TEST(DpoPrefixSharing, IsOnByItselfWhereItChangesNothing) {
  const auto weights = [](const char* adapter, const char* choice) {
    const TinyRun run(adapter);
    steps_of(run, sharing(choice, {}));
    return read_file(product_of(run));
  };
  constexpr const char* kDropping = "{method: lora, r: 4, lora_dropout: 0.3}";
  EXPECT_EQ(weights(kLora, "auto"), weights(kLora, "always"));
  EXPECT_EQ(weights(kDropping, "auto"), weights(kDropping, "never"));
  EXPECT_NE(weights(kDropping, "auto"), weights(kDropping, "always"));
}

// A mask is a function of the place in the step's stream, which has each prompt once.
TEST(DpoPrefixSharing, DropoutDoesNotDependOnHowAStepIsCut) {
  constexpr const char* kDropping = "{method: lora, r: 4, lora_dropout: 0.3}";
  const TinyRun whole(kDropping), cut(kDropping);
  const std::vector<json> one =
      steps_of(whole, sharing("always", {"train.per_device_train_batch_size=8",
                                         "train.gradient_accumulation_steps=1"}));
  expect_same(steps_of(cut, sharing("always", {})), one);
  EXPECT_LT(test::relative_difference(product_of(cut), product_of(whole)), 1e-4);
}

TEST(DpoPrefixSharing, IsRefusedWhereNoiseTellsDocumentsApart) {
  const TinyRun run(kLora);
  const test::Finished refused =
      run_hone(run.train(sharing("always", {"train.neftune_noise_alpha=5"})));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(test::contains(refused.err, "prefix_sharing: always"));
  const TinyRun by_itself(kLora);
  steps_of(by_itself, sharing("auto", {"train.neftune_noise_alpha=5"}));
}

}  // namespace
}  // namespace hone
