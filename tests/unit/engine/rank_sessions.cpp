#include "unit/engine/rank_sessions.h"

#include <algorithm>
#include <numeric>

#include "kernels/optimizer_step/optimizer_step.h"
#include "unit/distributed/rank_threads.h"

namespace hone::test {

void as_ranks(int world, const std::function<void(distributed::Group& group)>& act) {
  distributed::as_ranks(world, act, distributed::with_patience(60, 60));
}

engine::Session open_tiny_session(const TempFolder& folder, const std::string& name,
                                  const std::vector<std::string>& overrides) {
  const std::string rows = fixture("train/data/sft.jsonl").string();
  const std::string config = "model: {base: '" + fixture("train/_base").string() +
                             "'}\nadapter: {method: full}\ndata: {train: '" + rows + "', eval: '" +
                             rows + "'}\ntrain: {output_dir: '" + (folder / "run").string() +
                             "', precision: fp32, max_steps: 4, per_device_train_batch_size: 2}\n"
                             "checkpoint: {keep_last: 0}\n";
  const auto loaded =
      config::load<engine::RunOptions>(folder.write(name + ".yaml", config), overrides);
  return engine::open_session(
      loaded, engine::place("cpu", loaded.options.train.precision, loaded.options.model.dtype));
}

void keep_part(engine::Session& session, int rank, int world, const std::vector<int>& shares) {
  const torch::NoGradGuard no_grad;
  std::vector<optim::Parameter>& parameters = session.trainable.parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const torch::Tensor whole = parameters[i].tensor.detach();
    parameters[i].part = optim::Part{whole.sizes().vec(), 0};
    if (shares.empty()) {
      const bool is_keeper = static_cast<int>(i) % world == rank;
      parameters[i].tensor = is_keeper ? whole.clone() : torch::empty({0});
      continue;
    }
    const std::int64_t block = kernels::kStepBlock;
    const std::int64_t blocks = (whole.numel() + block - 1) / block;
    const int total = std::accumulate(shares.begin(), shares.end(), 0);
    const auto border = [&](int first_rank) {
      const int before = std::accumulate(shares.begin(), shares.begin() + first_rank, 0);
      return std::min(whole.numel(), blocks * before / total * block);
    };
    parameters[i].part->begin = border(rank);
    parameters[i].tensor = whole.flatten().slice(0, border(rank), border(rank + 1)).clone();
  }
  session.optimizer = optim::Optimizer(parameters, session.options.optim);
}

}  // namespace hone::test
