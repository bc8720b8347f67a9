#include <ATen/ops/log_softmax.h>

#include "model/head.h"
#include "model/load.h"
#include "trainers/preference_runs.h"

// The metric `entropy`: of the distributions that the answers' tokens are drawn from.

namespace hone {
namespace {

using nlohmann::json;
using test::preference_run;
using test::steps_of;
using test::TinyRun;
using torch::Tensor;

using Ids = std::vector<std::int64_t>;

/// Mean entropy at the tokens of `answer`, which come behind the prompt.
struct Sum {
  double entropy = 0, tokens = 0;

  void add(const model::Decoder& decoder, const Ids& prompt, const Ids& answer) {
    Ids ids = prompt;
    ids.insert(ids.end(), answer.begin(), answer.end());
    const std::int64_t size = std::ssize(ids), first = std::ssize(prompt) - 1;
    const Tensor hidden =
        model::hidden_states(decoder, {torch::tensor(ids), torch::arange(size), {0, size}});
    const Tensor logps = at::log_softmax(model::logits(decoder, hidden).to(torch::kFloat64), 1);
    const Tensor of_answer = logps.slice(0, first, size - 1);
    entropy -= (of_answer.exp() * of_answer).sum().item<double>();
    tokens += double(answer.size());
  }
};

// A step at learning rate 0 over all rows, with an adapter that adds nothing yet: the base's.
TEST(Entropy, IsThatOfThePolicyAtTheAnswers) {
  const torch::NoGradGuard no_grad;
  const model::Decoder base = model::load_decoder(test::fixture("train/_base"), {});
  for (const auto& [method, answers] :
       {std::pair{"dpo", std::vector<const char*>{"chosen_ids", "rejected_ids"}},
        {"orpo", {"chosen_ids", "rejected_ids"}},
        {"kto", {"completion_ids"}}}) {
    const std::vector<std::string> options = preference_run(method);
    const std::string file = options[1].substr(std::string("data.train=").size());
    Sum expected;
    const std::vector<json> rows = test::read_jsonl(file);
    for (const json& row : rows)
      for (const char* answer : answers) expected.add(base, row["prompt_ids"], row[answer]);

    const TinyRun run("{method: lora, r: 4}");
    const json step =
        steps_of(run, preference_run(method, {"train.max_steps=1", "data.eval=" + file,
                                              "train.per_device_train_batch_size=40"}))
            .at(0);
    const double mean = expected.entropy / expected.tokens;
    EXPECT_NEAR(step["entropy"].get<double>(), mean, 1e-5 * mean) << method;
    const json evaluated = test::read_jsonl(run.output() / "metrics.jsonl").back();
    EXPECT_NEAR(evaluated["eval_entropy"].get<double>(), mean, 1e-5 * mean) << method;
  }
}

}  // namespace
}  // namespace hone
