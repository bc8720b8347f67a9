#include <algorithm>
#include <cstdlib>

#include "base/interrupt.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "cli/config_arguments.h"
#include "cli/model_arguments.h"
#include "cli/train.h"
#include "distributed/launcher.h"
#include "engine/run_difference.h"
#include "trainers/dpo/step_slopes.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using Overrides = std::vector<std::string>;

struct Arguments {
  ConfigArguments config;
  std::int64_t steps = 3, rows = 8;
  std::string folder;
};

/// Sums in another order round otherwise; Adam divides by small numbers and so makes more of it.
constexpr double kRoundingOfLoss = 1e-5, kRounding = 1e-4;

/// A way to take the same steps: in what it differs from the plain one, a batch of all rows.
struct Check {
  const char* name;
  const char* what;
  bool recomputes;  ///< activations are computed again, or kept where the config has them so
  bool is_exact;    ///< nothing is summed in another order, so that no bit may differ
  bool resumes;     ///< from the plain run's first checkpoint
  Overrides (*overrides)(std::int64_t rows);
  int ranks = 1;
};

Overrides cut(std::int64_t rows, std::int64_t parts) {
  return {fmt::format("train.per_device_train_batch_size={}", rows / parts),
          fmt::format("train.gradient_accumulation_steps={}", parts)};
}

const Check kChecks[] = {
    {"accumulation", "the batch in two parts, summed", false, false, false,
     [](std::int64_t rows) { return cut(rows, 2); }},
    {"packing", "each row by itself, not packed with others", false, false, false,
     [](std::int64_t rows) { return cut(rows, rows); }},
    {"ranks", "two processes, each with half of the rows", false, false, false,
     [](std::int64_t rows) {
       return Overrides{fmt::format("train.per_device_train_batch_size={}", rows / 2),
                        "train.gradient_accumulation_steps=1"};
     },
     /*ranks=*/2},
    {"checkpointing", "activations computed again, or kept if they were", true, true, false,
     [](std::int64_t rows) { return cut(rows, 1); }},
    {"resume", "from the checkpoint after step 1", false, true, true,
     [](std::int64_t rows) { return cut(rows, 1); }},
    {"repetition", "the same once more", false, true, false,
     [](std::int64_t rows) { return cut(rows, 1); }},
};

/// What each of the runs has, over what the config says: few steps of a fixed number of rows, in
/// fp32, with a rate that is not zero in the first, and nothing besides training.
Overrides common_overrides(const Arguments& arguments) {
  return {fmt::format("train.max_steps={}", arguments.steps),
          "train.tokens_per_device_batch=0",
          "train.precision=fp32",
          "model.dtype=fp32",
          "optim.step_in_backward=false",  // the runs that accumulate cannot
          "schedule.warmup_steps=0",
          "schedule.warmup_ratio=0",
          "data.eval=[]",
          "eval.eval_on_start=false",
          "qat.fake_quant_after_n_steps=0",
          "eval.suite=[]",
          "eval.early_stopping_patience=0",
          "train.probe=false",
          "checkpoint.save_steps=1",
          "checkpoint.keep_last=0",
          "checkpoint.keep_best=false",
          "checkpoint.load_best_model_at_end=false",
          "report.report_to=[]",
          "report.grad_norm_groups=true",
          "report.html=false"};
}

/// A folder that is removed with what is in it, unless the user named it.
class WorkFolder {
 public:
  explicit WorkFolder(const std::string& named) : path_(named), keep_(!named.empty()) {
    if (keep_) return;
    std::string pattern = fs::temp_directory_path() / "hone-verify-XXXXXX";
    HONE_CHECK(IoError, ::mkdtemp(pattern.data()) != nullptr,
               "{}: no folder for the runs can be made; name one with --folder", pattern);
    path_ = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    if (!keep_) fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
  bool keep_;
};

/// Warnings and errors of the runs are told, not their progress.
class Hush {
 public:
  Hush() : level_(log::level()) {
    if (level_ == log::Level::kNormal) log::set_level(log::Level::kQuiet);
  }
  ~Hush() { log::set_level(level_); }
  Hush(const Hush&) = delete;
  Hush& operator=(const Hush&) = delete;

 private:
  log::Level level_;
};

/// Several ranks are processes of their own, started as `hone launch` does.
ExitCode launch(const ConfigArguments& config, const Common& common, int ranks) {
  distributed::LaunchPlan plan = {.nproc = ranks};
  plan.arguments = {"train", config.path, "--quiet", "--device", common.device};
  if (common.threads > 0)
    plan.arguments.insert(plan.arguments.end(), {"--threads", std::to_string(common.threads)});
  if (!common.seed.empty()) plan.arguments.insert(plan.arguments.end(), {"--seed", common.seed});
  plan.arguments.insert(plan.arguments.end(), config.overrides.begin(), config.overrides.end());
  return distributed::launch(plan);
}

void run(const Arguments& arguments, const Common& common, const fs::path& folder,
         const Overrides& overrides, bool recomputes = false, const std::string& resume_from = "",
         int ranks = 1) {
  ConfigArguments config = arguments.config;
  for (const Overrides& more : {common_overrides(arguments), overrides})
    config.overrides.insert(config.overrides.end(), more.begin(), more.end());
  config.overrides.push_back("train.output_dir=" + config::to_yaml(folder.string()));
  auto loaded = config.load(common);
  engine::TrainOptions& train = loaded.options.train;
  if (recomputes)
    train.gradient_checkpointing = train.gradient_checkpointing == "none" ? "every_layer" : "none";
  const Hush hush;
  const ExitCode code =
      ranks > 1
          ? launch(config, common, ranks)
          : run_trainer(loaded,
                        engine::place(common.device, train.precision, loaded.options.model.dtype),
                        {!resume_from.empty(), resume_from});
  HONE_CHECK(Interrupted, code != ExitCode::kRunAgain, "stopped by a signal; nothing was verified");
  HONE_CHECK(Error, code == ExitCode::kDone, "a run with {} ranks failed; its message stands above",
             ranks);
}

const char* verdict_on(const Check& check, const engine::RunDifference& found) {
  const double most = std::max({found.grad_norm, found.gradients, found.weights});
  if (found.loss == 0 && most == 0) return "same bits";
  const bool rounds = found.loss <= kRoundingOfLoss && most <= kRounding;
  return rounds && !check.is_exact ? "rounding" : "DIFFERENT";
}

/// Pairs of different ranks are not compared with one another.
bool ranks_can_share(const engine::RunOptions& options) {
  return options.train.method != "dpo" || !dpo::compares_pairs(options.dpo.loss_type);
}

ExitCode run_verify(const Arguments& arguments, const Common& common) {
  HONE_CHECK(ConfigError, arguments.rows % 2 == 0, "--rows {}: expected an even number",
             arguments.rows);
  const InterruptGuard guard;
  const WorkFolder work(arguments.folder);
  const fs::path plain = work / "plain";
  run(arguments, common, plain, cut(arguments.rows, 1));
  if (!common.json)
    fmt::print("{:<13} {:>9} {:>9} {:>9} {:>9}  {:<9} {}\n", "", "loss", "norms", "gradients",
               "weights", "verdict", "the largest differences, relative");
  bool holds = true;
  const bool in_ranks = ranks_can_share(arguments.config.load(common).options);
  for (const Check& check : kChecks) {
    if (check.ranks > 1 && !in_ranks) continue;
    const fs::path folder = work / check.name;
    run(arguments, common, folder, check.overrides(arguments.rows), check.recomputes,
        check.resumes ? checkpoint::folder_of_step(plain, 1).string() : "", check.ranks);
    const engine::RunDifference found =
        engine::difference(plain, folder, check.resumes ? 2 : 1, arguments.steps);
    const std::string verdict = verdict_on(check, found);
    holds = holds && verdict != "DIFFERENT";
    if (common.json) {
      print_row({{"check", check.name},
                 {"what", check.what},
                 {"loss", found.loss},
                 {"grad_norm", found.grad_norm},
                 {"gradients", found.gradients},
                 {"weights", found.weights},
                 {"verdict", verdict}});
    } else {
      fmt::print("{:<13} {:>9.2g} {:>9.2g} {:>9.2g} {:>9.2g}  {:<9} {}\n", check.name, found.loss,
                 found.grad_norm, found.gradients, found.weights, verdict, check.what);
    }
  }
  if (!holds) log::error("steps of this config depend on how they are taken");
  return holds ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

Action declare_verify(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command);
  command.add_option("--steps", arguments->steps, "Optimizer steps of each run")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  command.add_option("--rows", arguments->rows, "Rows of each step; an even number")
      ->check(CLI::Range(2, 4096))
      ->capture_default_str();
  command.add_option("--folder", arguments->folder,
                     "Where the runs are kept; without it they are removed at the end");
  return [arguments, &common] { return run_verify(*arguments, common); };
}

}  // namespace hone::cli
