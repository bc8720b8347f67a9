#include "engine/checkpoint_writer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "distributed/exchange.h"
#include "distributed/texts.h"
#include "engine/lineage.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

using checkpoint::Manifest;
using distributed::Patience;
using nlohmann::json;

constexpr const char* kWhat = "the checkpoint";

json about_of(const Session& session) {
  return {{kIdentity, session.identity()},
          {kRun, session.progress.to_json()},
          {kUpdates, session.optimizer.steps_done()}};
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

std::vector<io::TensorView> views_of_whole(const HostCopies& copies) {
  std::vector<io::TensorView> views;
  for (const KeptTensor& kept : copies.tensors())
    if (!kept.part) views.push_back(model::view_of(kept.name, kept.tensor));
  return views;
}

std::vector<checkpoint::Piece> pieces_of(const HostCopies& copies) {
  std::vector<checkpoint::Piece> pieces;
  for (const KeptTensor& kept : copies.tensors())
    if (kept.part)
      pieces.push_back(
          {model::view_of(kept.name, kept.tensor.view({-1})), kept.part->shape, kept.part->begin});
  return pieces;
}

template <class T>
bool has_ended(const std::future<T>& future) {
  return !future.valid() || future.wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
}

bool has_parts(const std::vector<optim::Parameter>& parameters) {
  return std::ranges::any_of(parameters, [](const auto& p) { return p.part.has_value(); });
}

}  // namespace

/// A checkpoint under way that several ranks write.
struct CheckpointWriter::Shared {
  std::unique_ptr<checkpoint::StateWriter> writer;  // of the first rank
  std::future<Manifest::Files> parts;
  // Then, of the first rank:
  std::function<void(const Manifest::Files& parts)> commit;
  std::future<void> committed;
  bool is_committing = false;

  bool has_ended_here() const { return is_committing ? has_ended(committed) : has_ended(parts); }
};

CheckpointWriter::CheckpointWriter(distributed::Group group, std::int64_t saved_step)
    : group_(std::move(group)), saved_step_(saved_step) {}

CheckpointWriter::~CheckpointWriter() {
  try {
    if (under_way_.valid()) under_way_.get();
    if (!shared_) return;
    // The others cannot be asked any more.
    if (shared_->parts.valid()) shared_->parts.get();
    if (shared_->committed.valid()) shared_->committed.get();
    if (!shared_->is_committing)
      log::warn("the checkpoint of step {} was not committed: the run ended before", saved_step_);
  } catch (const std::exception& error) {
    log::warn("the checkpoint of step {} was not written: {}", saved_step_, error.what());
  }
}

void CheckpointWriter::find_shares(const Session& session) {
  const std::vector<optim::Parameter>& weights = session.trainable.parameters;
  const std::vector<optim::Parameter>& moments = session.optimizer.parameters();
  is_shared_ = !group_.is_alone() && (has_parts(weights) || has_parts(moments));
  if (!*is_shared_) return;
  own_weights_ = first_with_part(group_, weights);
  own_moments_ = first_with_part(group_, moments);
}

std::vector<KeptTensor> CheckpointWriter::own_of(std::vector<KeptTensor> tensors,
                                                 bool are_moments) const {
  const std::vector<bool>& own = are_moments ? own_moments_ : own_weights_;
  if (!*is_shared_)  // one rank's parts are the whole
    for (KeptTensor& kept : tensors)
      if (const auto part = std::exchange(kept.part, std::nullopt))
        kept.tensor = kept.tensor.view(part->shape);
  std::erase_if(tensors, [&](const KeptTensor& kept) {
    return kept.part ? !own[kept.parameter] : !group_.is_first();
  });
  return tensors;
}

std::optional<std::string> CheckpointWriter::save(const Session& session) {
  wait();
  if (!is_shared_) find_shares(session);
  const bool behind = session.options.checkpoint.async_save;
  auto poisoned = weights_.take(own_of(trained_of(session), false), behind);
  const auto poisoned_moment = moments_.take(own_of(moments_of(session), true), behind);
  if (!poisoned) poisoned = poisoned_moment;
  for (const std::string& name :
       distributed::gather_texts(group_, poisoned.value_or(""), kWhat, Patience::kPhase))
    if (!name.empty()) return name;
  saved_step_ = session.progress.step;
  if (*is_shared_)
    begin_shared(session);
  else if (group_.is_first())
    begin_alone(session);
  if (!behind) wait();
  return std::nullopt;
}

void CheckpointWriter::begin_alone(const Session& session) {
  const RunOptions& options = session.options;
  auto write = [this, step = session.progress.step, about = about_of(session),
                origin = session.origin(), folder = options.train.output_dir,
                keep_last = options.checkpoint.keep_last, keep_also = kept_besides(session)] {
    checkpoint::save_state(folder, step, about, views_of_whole(weights_), views_of_whole(moments_),
                           {{kLineageKey, origin}});
    checkpoint::retain(folder, keep_last, keep_also);
  };
  const bool behind = options.checkpoint.async_save;
  under_way_ = std::async(behind ? std::launch::async : std::launch::deferred, std::move(write));
}

/// All ranks begin together; the first makes the folder, which the others are told of.
void CheckpointWriter::begin_shared(const Session& session) {
  const RunOptions& options = session.options;
  const std::int64_t step = session.progress.step;
  const std::string run = options.train.output_dir;
  shared_ = std::make_unique<Shared>();
  json told;
  try {
    if (group_.is_first()) {
      shared_->writer = std::make_unique<checkpoint::StateWriter>(run, step);
      told["folder"] = shared_->writer->folder().string();
    }
  } catch (const IoError& error) {
    told["error"] = error.what();
  }
  told = json::parse(distributed::text_of_first(group_, told.dump(), kWhat, Patience::kPhase));
  if (told.contains("error")) {
    shared_.reset();
    throw IoError(told["error"].get<std::string>());
  }
  const auto launch = options.checkpoint.async_save ? std::launch::async : std::launch::deferred;
  const checkpoint::PiecesOf of = {step, group_.rank(), group_.world()};
  checkpoint::StateWriter* writer = shared_->writer.get();
  auto write = [this, writer, of, folder = told["folder"].get<std::string>(),
                about = writer != nullptr ? about_of(session) : json()] {
    if (writer != nullptr) writer->write(about, views_of_whole(weights_), views_of_whole(moments_));
    return checkpoint::write_parts(folder, {of, pieces_of(weights_), pieces_of(moments_)});
  };
  shared_->parts = std::async(launch, std::move(write));
  if (writer == nullptr) return;
  shared_->commit = [writer, run, origin = session.origin(),
                     keep_last = options.checkpoint.keep_last,
                     keep_also = kept_besides(session)](const Manifest::Files& parts) {
    writer->commit({{kLineageKey, origin}}, parts);
    checkpoint::retain(run, keep_last, keep_also);
  };
}

/// Ends what of a shared checkpoint has ended on all ranks, and begins what follows. Waits for it.
/// @return whether more is under way
bool CheckpointWriter::advance() {
  if (shared_->is_committing)
    conclude_commit();
  else
    conclude_parts();
  return shared_ != nullptr;
}

/// Each rank tells the others its files' hashes, or what went wrong.
void CheckpointWriter::conclude_parts() {
  json told;
  try {
    told["files"] = checkpoint::to_json(shared_->parts.get());
  } catch (const std::exception& error) {
    told["error"] = fmt::format("rank {}: {}", group_.rank(), error.what());
  }
  Manifest::Files files;
  std::vector<std::string> errors;
  for (const std::string& text :
       distributed::gather_texts(group_, told.dump(), kWhat, Patience::kPhase)) {
    const json said = json::parse(text);
    if (said.contains("error"))
      errors.push_back(said["error"].get<std::string>());
    else
      files.merge(checkpoint::files_from(said["files"]));
  }
  if (!errors.empty()) {
    shared_.reset();  // and the folder with it: no rank writes into it any more
    throw IoError(fmt::format("{}", fmt::join(errors, "; ")));
  }
  shared_->is_committing = true;
  if (group_.is_first())
    shared_->committed = std::async(
        std::launch::async, [commit = shared_->commit, all = std::move(files)] { commit(all); });
}

void CheckpointWriter::conclude_commit() {
  std::string error;
  try {
    if (shared_->committed.valid()) shared_->committed.get();
  } catch (const std::exception& thrown) {
    error = thrown.what();
  }
  shared_.reset();
  error = distributed::text_of_first(group_, error, kWhat, Patience::kPhase);
  if (!error.empty()) throw IoError(error);
}

void CheckpointWriter::wait() {
  if (under_way_.valid()) under_way_.get();
  while (shared_ && advance()) {
  }
}

void CheckpointWriter::check(bool is_ending) {
  if (under_way_.valid() && !is_ending && has_ended(under_way_)) under_way_.get();
  if (!shared_) return;
  enum Turn : int { kGoOn, kLeave, kNotYet };
  const Turn turn = !shared_->has_ended_here() ? kNotYet : is_ending ? kLeave : kGoOn;
  if (distributed::greatest(group_, turn, kWhat, Patience::kPhase) == kGoOn) advance();
}

void CheckpointWriter::settle() {
  bool has_failed = false;
  try {
    wait();
  } catch (const DistributedError&) {
    throw;
  } catch (const std::exception& error) {
    has_failed = true;
    log::warn("the checkpoint of step {} was not written: {}", saved_step_, error.what());
  }
  // Where one rank writes all, it alone knows.
  if (distributed::greatest(group_, has_failed ? 1 : 0, kWhat, Patience::kPhase) != 0)
    saved_step_ = 0;
}

}  // namespace hone::engine
