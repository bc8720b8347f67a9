#include <algorithm>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "support/tiny_run.h"

// Every adapter method through `hone train`.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::run_hone;
using test::TinyRun;

struct Case {
  const char* name;
  const char* adapter;  ///< the config's section
};

class EveryMethod : public testing::TestWithParam<Case> {};

// Twenty steps at a rate at which each of them learns; the eval rows are the training rows.
TEST_P(EveryMethod, LearnsResumesToTheBitAndLoadsBack) {
  const TinyRun run(GetParam().adapter), again(GetParam().adapter);
  const std::string eval = "data.eval=" + test::fixture("train/data/sft.jsonl").string();
  const std::vector<std::string> more = {eval, "optim.learning_rate=1e-2",
                                         "checkpoint.save_steps=10", "eval.eval_steps=1"};
  const test::Finished finished = run_hone(run.train(more));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::vector<json> metrics = test::read_jsonl(run.output() / "metrics.jsonl");
  const auto first =
      std::ranges::find_if(metrics, [](const json& line) { return line.contains("eval_loss"); });
  const double ended = io::read_json(run.output() / "run.json")["final_eval_loss"];
  EXPECT_LT(ended, first->at("eval_loss").get<double>());

  // A run that goes on from step 10 ends as the one that never stopped.
  ASSERT_EQ(run_hone(again.train(more)).exit_code, 0);
  fs::remove_all(again.output() / "adapter");
  std::vector<std::string> resumed = more;
  resumed.insert(resumed.end(),
                 {"--resume", (again.output() / "checkpoints" / "step-10").string()});
  const test::Finished went_on = run_hone(again.train(resumed));
  ASSERT_EQ(went_on.exit_code, 0) << went_on.err;
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
    EXPECT_EQ(read_file(run.output() / "adapter" / file),
              read_file(again.output() / "adapter" / file));

  const test::Finished measured =
      run_hone({"eval", run.config, eval, "--adapter", (run.output() / "adapter").string()});
  ASSERT_EQ(measured.exit_code, 0) << measured.err;
  EXPECT_NEAR(json::parse(measured.out)["eval_loss"].get<double>() / ended, 1.0, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Methods, EveryMethod,
    testing::Values(
        Case{"lora_with_all",
             "{method: lora, r: 4, use_rslora: true, lora_bias: true, target_modules: [q_proj, "
             "down_proj], rank_pattern: {down_proj: 8}, alpha_pattern: {q_proj: 3}, "
             "trainable_token_indices: [3, 5], layers_to_transform: [0]}"},
        Case{"lora_embedding",
             "{method: lora, r: 4, target_modules: [embed_tokens, lm_head, v_proj]}"},
        Case{"lora_modules_to_save",
             "{method: lora, r: 4, target_modules: q_proj, modules_to_save: [lm_head]}"},
        Case{"lora_gaussian", "{method: lora, r: 4, init_lora_weights: gaussian}"},
        Case{"pissa", "{method: lora, r: 4, init_lora_weights: pissa}"},
        Case{"pissa_niter", "{method: lora, r: 4, init_lora_weights: pissa_niter_4}"},
        Case{"olora", "{method: lora, r: 4, init_lora_weights: olora, use_rslora: true}"},
        Case{"eva", "{method: lora, r: 4, init_lora_weights: eva}"},
        Case{"dora", "{method: dora, r: 4}"},
        Case{"dora_dropout", "{method: lora, use_dora: true, r: 4, lora_dropout: 0.1}"},
        Case{"adalora", "{method: adalora, r: 6}"}, Case{"ia3", "{method: ia3}"},
        Case{"vera", "{method: vera, r: 16}"},
        Case{"vblora", "{method: vblora, r: 4, num_vectors: 24, vector_length: 8}"},
        Case{"loha", "{method: loha, r: 4}"}, Case{"lokr", "{method: lokr, r: 4}"},
        Case{"oft", "{method: oft, oft_block_size: 8}"},
        Case{"oft_coft", "{method: oft, oft_block_size: 8, coft: true, eps: 0.5}"},
        Case{"boft", "{method: boft}"},
        Case{"boft_factors", "{method: boft, boft_block_size: 4, boft_n_butterfly_factor: 3}"},
        Case{"ln_tuning", "{method: ln_tuning}"},
        Case{"trainable_tokens",
             "{method: trainable_tokens, trainable_token_indices: [3, 4, 5, 6, 7, 8, 9]}"},
        Case{"prompt_tuning", "{method: prompt_tuning, num_virtual_tokens: 4}"},
        Case{"p_tuning", "{method: p_tuning, num_virtual_tokens: 4, encoder_hidden_size: 32}"},
        Case{"p_tuning_lstm",
             "{method: p_tuning, num_virtual_tokens: 4, encoder_hidden_size: 16, "
             "encoder_reparameterization_type: LSTM, encoder_dropout: 0.1}"},
        Case{"prefix_tuning", "{method: prefix_tuning, num_virtual_tokens: 4}"},
        Case{"prefix_projection",
             "{method: prefix_tuning, num_virtual_tokens: 4, prefix_projection: true, "
             "encoder_hidden_size: 32}"},
        Case{"bottleneck", "{method: bottleneck, r: 8, target_modules: [o_proj, down_proj]}"}),
    [](const auto& one) { return std::string(one.param.name); });

// Some of the model's own weights: the others keep every bit, and the product is a model.
TEST(Partial, TrainsTheChosenModulesOnly) {
  const TinyRun run("{method: partial, target_modules: ['.*layers\\.1\\.mlp\\..*']}");
  const test::Finished finished = run_hone(run.train({"optim.learning_rate=1e-2"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const io::SafetensorsFile before(test::fixture("train/_base/model.safetensors")),
      after(run.output() / "model" / "model.safetensors");
  for (const io::TensorView& view : before.tensors()) {
    const io::TensorView* now = after.find(view.name);
    ASSERT_NE(now, nullptr) << view.name;
    const bool same = std::equal(view.data, view.data + view.size_bytes, now->data);
    EXPECT_NE(same, view.name.starts_with("model.layers.1.mlp.")) << view.name;
  }
  const auto metrics = test::read_jsonl(run.output() / "metrics.jsonl");
  EXPECT_LT(metrics[19]["loss"].get<double>(), metrics[1]["loss"].get<double>());
}

TEST(Bitfit, NeedsBiases) {
  const TinyRun run("{method: bitfit}");
  const test::Finished refused = run_hone(run.train());
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(test::contains(refused.err, "has no biases"));
}

}  // namespace
}  // namespace hone
