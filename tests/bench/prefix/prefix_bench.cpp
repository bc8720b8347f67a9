// What sharing a pair's prompt saves: forward and backward of a batch of pairs with LoRA (r 16,
// every linear layer), prompts computed once against both documents written out, in turns within
// one run.
//
//   bench_prefix MODEL [pairs 4] [prompt 128] [answer 128] [rounds 9]
//
// One JSON object for each precision: seconds are medians, `ratio` is plain over shared, `distance`
// how far the log-probabilities of the two are apart. OMP_NUM_THREADS says on how many threads.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "adapters/adapter.h"
#include "config/load.h"
#include "model/head.h"
#include "model/load.h"
#include "support/shared_pairs.h"

namespace hone {
namespace {

using torch::Tensor;

struct Timed {
  Tensor logps;
  double seconds;
};
Timed run(const model::Decoder& decoder, const model::TokenStream& tokens, const Tensor& rows,
          const Tensor& targets) {
  const auto begin = std::chrono::steady_clock::now();
  const Tensor logps =
      model::token_logps(decoder, model::hidden_states(decoder, tokens), rows, targets);
  logps.sum().backward();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return {logps.detach(), taken.count()};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const char* path, torch::Dtype dtype, const std::vector<std::int64_t>& sizes) {
  model::LoadOptions load;
  load.weight_dtype = load.compute_dtype = dtype;
  model::Decoder decoder = model::load_decoder(path, load);
  auto options = config::defaults<adapters::AdapterOptions>();
  options.method = "lora";
  adapters::Adapter adapter = adapters::make_adapter(decoder, options, 1);
  for (adapters::NamedTensor& named : adapter.state()) named.tensor.requires_grad_();
  adapters::attach(adapter, decoder);

  const std::int64_t pairs = sizes[0], prompt = sizes[1], answer = sizes[2], rounds = sizes[3];
  const std::vector<test::Answers> rows(std::size_t(pairs), {prompt, {answer, answer}});
  const test::SharedPairs both = test::make_shared_pairs(rows, decoder.spec.vocab_size);
  std::vector<double> plain, shared, ratios;
  double distance = 0;
  for (std::int64_t i = 0; i <= rounds; ++i) {
    const Timed one = run(decoder, both.plain, both.plain_rows, both.targets);
    const Timed other = run(decoder, both.shared, both.shared_rows, both.targets);
    distance = (one.logps - other.logps).norm().item<double>() / one.logps.norm().item<double>();
    if (i == 0) continue;  // memory is taken for the first time
    plain.push_back(one.seconds);
    shared.push_back(other.seconds);
    ratios.push_back(one.seconds / other.seconds);
  }
  fmt::print(
      "{{\"dtype\": \"{}\", \"pairs\": {}, \"prompt\": {}, \"answer\": {}, \"threads\": {}, "
      "\"plain_s\": {:.3f}, \"shared_s\": {:.3f}, \"ratio\": {:.3f}, \"distance\": {:.1e}}}\n",
      dtype == torch::kBFloat16 ? "bf16" : "fp32", pairs, prompt, answer, at::get_num_threads(),
      median(plain), median(shared), median(ratios), distance);
  std::fflush(stdout);
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_prefix MODEL [pairs] [prompt] [answer] [rounds]\n");
    return 2;
  }
  std::vector<std::int64_t> sizes = {4, 128, 128, 9};
  for (int i = 2; i < std::min(argc, 6); ++i) sizes[std::size_t(i - 2)] = std::atoll(argv[i]);
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16})
    hone::measure(argv[1], dtype, sizes);
  return 0;
}
