#include "engine/run_checkpoint.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "engine/checkpoint_writer.h"
#include "engine/choose_together.h"
#include "engine/kept_tensors.h"
#include "engine/lineage.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_scheduled(std::int64_t step, std::int64_t save_steps) {
  return step == 0 || (save_steps > 0 && step % save_steps == 0);
}

void restore_weights(const checkpoint::State& state, Session& session) {
  restore(trained_of(session), state.trainable);
  restore(moments_of(session), state.optimizer);
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
std::optional<checkpoint::VerifiedFolder> last_good(const Session& session,
                                                    const checkpoint::Verify& verify) {
  const fs::path run = session.options.train.output_dir;
  const auto scheduled = [every = session.options.checkpoint.save_steps](std::int64_t step) {
    return is_scheduled(step, every);
  };
  auto own = checkpoint::newest_valid(run, checkpoint::warn_skipped, scheduled, verify);
  if (session.lineage.resumptions.empty()) return own;
  const Resumption& start = session.lineage.resumptions.back();
  // What is older than another folder's checkpoint was left here by another run.
  const bool is_older = own && !lies_in(start.checkpoint, run) && step_of(*own) < start.step;
  return own && !is_older ? own : verify(start.checkpoint);
}

}  // namespace

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
  const auto good = choose_together(
      session.group, [&](const checkpoint::Verify& verify) { return last_good(session, verify); });
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
