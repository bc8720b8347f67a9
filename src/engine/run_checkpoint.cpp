#include "engine/run_checkpoint.h"

#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "engine/lineage.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using torch::Tensor;

/// Where they stand in what checkpoint::State calls `about`.
constexpr const char *kIdentity = "identity", *kRun = "run", *kUpdates = "updates";

/// The masters and what goes with them, and behind these the trainer's own.
optim::NamedTensors trained_of(const Session& session) {
  optim::NamedTensors tensors = session.trainable.state();
  tensors.insert(tensors.end(), session.state.begin(), session.state.end());
  return tensors;
}

/// A checkpoint in memory.
struct Snapshot {
  std::int64_t step;
  json about;
  json origin;  ///< see Session::origin()
  model::HostTensors trained, moments;
};

/// @param copies false where nothing changes until it is written
std::shared_ptr<const Snapshot> snapshot_of(const Session& session, bool copies) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->step = session.progress.step;
  snapshot->about = {{kIdentity, session.identity()},
                     {kRun, session.progress.to_json()},
                     {kUpdates, session.optimizer.steps_done()}};
  snapshot->origin = session.origin();
  const auto add = [&](const optim::NamedTensors& tensors, model::HostTensors& to) {
    for (const auto& [name, tensor] : tensors)
      to.add(name, tensor.detach().to(torch::kCPU, tensor.scalar_type(), false, copies));
  };
  add(trained_of(session), snapshot->trained);
  add(session.optimizer.state(), snapshot->moments);
  return snapshot;
}

bool is_scheduled(std::int64_t step, std::int64_t save_steps) {
  return step == 0 || (save_steps > 0 && step % save_steps == 0);
}

/// What stays besides the last ones: the best, the multiples of keep_every, and what a rollback
/// would go to.
checkpoint::StepFilter kept_besides(const Session& session) {
  const checkpoint::CheckpointOptions& options = session.options.checkpoint;
  std::int64_t best = -1, rollback = -1;
  if (options.saves_best()) best = session.progress.stopping.best_step().value_or(-1);
  if (session.options.guard.rolls_back())
    rollback = session.progress.step - session.progress.step % options.save_steps;
  return [best, rollback, every = options.keep_every](std::int64_t step) {
    return step == best || step == rollback || (every > 0 && step % every == 0);
  };
}

void restore(const optim::NamedTensors& tensors, const io::SafetensorsFile& file) {
  const torch::NoGradGuard no_grad;
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : tensors) {
    const io::TensorView* view = file.find(name);
    if (view == nullptr || view->shape != tensor.sizes().vec()) {
      problems.push_back(name + (view == nullptr ? " is missing" : " has another shape"));
    } else {
      Tensor destination = tensor;
      destination.copy_(model::to_tensor(*view));
    }
  }
  HONE_CHECK(CheckpointError, problems.empty() && file.tensors().size() == tensors.size(),
             "{}: does not fit what is trained: {} tensors, expected {}. {}", file.path().string(),
             file.tensors().size(), tensors.size(), fmt::join(problems, "; "));
}

void restore_weights(const checkpoint::State& state, Session& session) {
  restore(trained_of(session), state.trainable);
  restore(session.optimizer.state(), state.optimizer);
  session.optimizer.set_steps_done(state.about.at(kUpdates).get<std::int64_t>());
}

void check_same_run(const fs::path& folder, const json& saved, const json& now) {
  std::vector<std::string> differences;
  for (const auto& [key, value] : now.items())
    if (!saved.contains(key) || saved[key] != value)
      differences.push_back(fmt::format("{}: then {}, now {}", key,
                                        saved.contains(key) ? saved[key].dump() : "not stated",
                                        value.dump()));
  for (const auto& [key, value] : saved.items())
    if (!now.contains(key))
      differences.push_back(fmt::format("{}: then {}, now not stated", key, value.dump()));
  HONE_CHECK(CheckpointError, differences.empty(),
             "{}: was saved by another run:\n  {}\nGo on with the settings of then, or start a new "
             "run in another train.output_dir",
             folder.string(), fmt::join(differences, "\n  "));
}

checkpoint::State read_state(const checkpoint::VerifiedFolder& checkpoint) {
  checkpoint::State state = checkpoint::load_state(checkpoint);
  for (const char* key : {kIdentity, kRun, kUpdates})
    HONE_CHECK(CheckpointError, state.about.contains(key),
               "{}: says nothing of '{}'. Go on with the hone that wrote it",
               checkpoint.folder.string(), key);
  return state;
}

std::int64_t step_of(const checkpoint::VerifiedFolder& checkpoint) {
  return checkpoint.manifest.about.at("step").get<std::int64_t>();
}

bool lies_in(const fs::path& checkpoint, const fs::path& run) {
  return fs::weakly_canonical(checkpoint).parent_path() ==
         fs::weakly_canonical(checkpoint::folder_of_step(run, 0)).parent_path();
}

/// What roll_back() goes to.
std::optional<checkpoint::VerifiedFolder> last_good(const Session& session) {
  const fs::path run = session.options.train.output_dir;
  const auto scheduled = [every = session.options.checkpoint.save_steps](std::int64_t step) {
    return is_scheduled(step, every);
  };
  auto own = checkpoint::newest_valid(run, checkpoint::warn_skipped, scheduled);
  if (session.lineage.resumptions.empty()) return own;
  const Resumption& start = session.lineage.resumptions.back();
  // What is older than another folder's checkpoint was left here by another run.
  const bool is_older = own && !lies_in(start.checkpoint, run) && step_of(*own) < start.step;
  return own && !is_older ? own : checkpoint::verify(start.checkpoint);
}

}  // namespace

CheckpointWriter::~CheckpointWriter() { settle(); }

void CheckpointWriter::settle() noexcept {
  try {
    wait();
  } catch (const std::exception& error) {
    log::warn("the checkpoint of step {} was not written: {}", std::exchange(saved_step_, 0),
              error.what());
  }
}

void CheckpointWriter::save(const Session& session) {
  wait();
  saved_step_ = session.progress.step;
  if (!writes_) return;
  const RunOptions& options = session.options;
  const bool behind = options.checkpoint.async_save;
  auto write = [snapshot = snapshot_of(session, behind), folder = options.train.output_dir,
                keep_last = options.checkpoint.keep_last, keep_also = kept_besides(session)] {
    checkpoint::save_state(folder, snapshot->step, snapshot->about, snapshot->trained.views(),
                           snapshot->moments.views(), {{kLineageKey, snapshot->origin}});
    checkpoint::retain(folder, keep_last, keep_also);
  };
  under_way_ = std::async(behind ? std::launch::async : std::launch::deferred, std::move(write));
  if (!behind) wait();
}

void CheckpointWriter::wait() {
  if (under_way_.valid()) under_way_.get();
}

void CheckpointWriter::check() {
  if (under_way_.valid() &&
      under_way_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    under_way_.get();
}

std::optional<std::string> first_non_finite(const Session& session) {
  const torch::NoGradGuard no_grad;
  optim::NamedTensors tensors = trained_of(session);
  const optim::NamedTensors moments = session.optimizer.state();
  tensors.insert(tensors.end(), moments.begin(), moments.end());
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.is_floating_point() || tensor.numel() == 0) continue;
    const auto [low, high] = tensor.aminmax();  // a NaN is the extremes of its tensor
    if (!std::isfinite(low.item<double>()) || !std::isfinite(high.item<double>())) return name;
  }
  return std::nullopt;
}

void load_checkpoint(const checkpoint::VerifiedFolder& checkpoint, Session& session) {
  const checkpoint::State state = read_state(checkpoint);
  check_same_run(checkpoint.folder, state.about.at(kIdentity), session.identity());
  restore_weights(state, session);
  session.progress.restore(state.about.at(kRun));
  if (session.group.is_first())
    checkpoint::set_aside_after(session.options.train.output_dir, state.step);
}

void load_weights(const checkpoint::VerifiedFolder& checkpoint, Session& session) {
  restore_weights(read_state(checkpoint), session);
}

std::int64_t roll_back(Session& session) {
  const auto good = last_good(session);
  HONE_CHECK(CheckpointError, good,
             "{}: there is no checkpoint to roll back to; those of checkpoint.save_steps and of "
             "the start have been removed",
             session.options.train.output_dir);
  const checkpoint::State state = read_state(*good);
  restore_weights(state, session);
  log::warn("step {}: weights and moments are again those of step {} ({})", session.progress.step,
            state.step, good->folder.string());
  return state.step;
}

}  // namespace hone::engine
