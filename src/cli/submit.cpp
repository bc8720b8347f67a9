#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/file.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "cli/config_arguments.h"
#include "cli/model_arguments.h"
#include "cli/sweep.h"
#include "distributed/batch_job.h"
#include "distributed/sbatch.h"
#include "engine/base_model.h"
#include "engine/run_data.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using distributed::BatchJob;

struct Arguments {
  ConfigArguments config;
  BatchJob job;
  int ntasks_per_node = 0;  ///< 0: one for each GPU
  std::vector<std::string> axes;
  bool dry_run = false, skip_data = false;
};

/// The run's folder or, of a sweep, the one that all of its runs are below.
fs::path root_of(const engine::RunOptions& options) {
  return fs::absolute(options.train.output_dir).lexically_normal();
}

/// The config with what one run of a sweep has of its own.
engine::RunOptions options_of(const Arguments& arguments, const Common& common,
                              const SweepRun& run) {
  ConfigArguments config = arguments.config;
  config.overrides.insert(config.overrides.end(), run.overrides.begin(), run.overrides.end());
  return config.load(common).options;
}

/// What would end the job at its start. Every run's config is read; data is looked at as the first
/// run has it.
void check_runs(const Arguments& arguments, const Common& common, const BatchJob& job,
                const std::vector<SweepRun>& runs) {
  for (const SweepRun& run : runs) {
    const engine::RunOptions options = options_of(arguments, common, run);
    HONE_CHECK(ConfigError, job.ranks() == 1 || !options.optim.step_in_backward,
               "optim.step_in_backward wants one process, and the job has {} ranks; leave it out",
               job.ranks());
  }
  const engine::RunOptions options = options_of(arguments, common, runs.front());
  log::info("ranks   {} × train.gradient_accumulation_steps {}: {} micro-batches a step",
            job.ranks(), options.train.gradient_accumulation_steps,
            job.ranks() * options.train.gradient_accumulation_steps);
  if (arguments.skip_data) return;
  const auto [path, spec, text] =
      engine::open_base(options.model, options.data.chat_template, {options.adapter.init_from});
  const engine::RunData data = engine::load_run_data(options, text, spec);
  const datasets::Sampler sampler = engine::make_sampler(options, data, job.ranks());
  log::info("data    {} rows, {} steps", data.train.size(),
            engine::total_steps(options.train, sampler));
}

/// A kind of file system that no other machine sees.
struct LocalDisk {
  std::int64_t magic;  ///< as statfs gives it
  const char* name;
};
constexpr LocalDisk kLocalDisks[] = {{0xEF53, "ext4"},        {0x58465342, "XFS"},
                                     {0x9123683E, "Btrfs"},   {0x01021994, "tmpfs"},
                                     {0x794C7630, "overlay"}, {0x2FC12FC1, "ZFS"}};

/// Ranks of a job run on other machines than this one.
void warn_of_local_disk(const fs::path& folder) {
  fs::path existing = folder;
  while (!fs::exists(existing) && existing.has_relative_path()) existing = existing.parent_path();
  struct statfs system {};
  if (::statfs(existing.c_str(), &system) != 0) return;
  const auto* disk = std::ranges::find(kLocalDisks, std::int64_t{system.f_type}, &LocalDisk::magic);
  if (disk != std::end(kLocalDisks))
    log::warn(
        "train.output_dir: {} is on {}, which as a rule this machine alone sees; the nodes of the "
        "job have to see the same folder. Choose one on a shared disk (NFS, Lustre, GPFS, …)",
        folder.string(), disk->name);
}

/// A name that nothing has yet: jobs that wait keep reading their config.
fs::path free_stem(const fs::path& folder, const std::string& name) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  const std::string stem = fmt::format("{}-{}", name, text.data());
  fs::path path = folder / stem;
  for (int i = 2; fs::exists(path.string() + ".sbatch"); ++i)
    path = folder / fmt::format("{}-{}", stem, i);
  return path;
}

/// What SLURM takes as a job's name, made of a folder's.
std::string job_name_of(const fs::path& root) {
  std::string name = root.filename().string();
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_') c = '-';
  return name.empty() ? "hone" : name;
}

/// SLURM writes numbers in the place of %j and its like; what the path itself has is doubled.
std::string log_pattern(const fs::path& stem, bool is_array) {
  std::string pattern;
  for (const char c : stem.string()) pattern += c == '%' ? std::string("%%") : std::string(1, c);
  return pattern + (is_array ? "-%A_%a.log" : "-%j.log");
}

/// What each rank runs, but for a sweep's own arguments.
std::vector<std::string> command_of(const Arguments& arguments, const Common& common,
                                    const fs::path& config) {
  // In a container another hone may be installed, and this one need not run.
  const bool is_bare = arguments.job.container.empty();
  std::vector<std::string> command = {
      is_bare ? fs::read_symlink("/proc/self/exe").string() : "hone", "train", config.string()};
  const std::string device = arguments.job.gpus_per_node > 0 ? "cuda" : common.device;
  if (device != "cpu") command.insert(command.end(), {"--device", device});
  if (common.threads > 0)
    command.insert(command.end(), {"--threads", std::to_string(common.threads)});
  if (!common.seed.empty()) command.insert(command.end(), {"--seed", common.seed});
  const auto& overrides = arguments.config.overrides;
  command.insert(command.end(), overrides.begin(), overrides.end());
  return command;
}

struct Prepared {
  BatchJob job;
  fs::path script, config;
  std::vector<fs::path> outputs;  ///< the folder of each run
};

Prepared prepare(const Arguments& arguments, const Common& common) {
  const bool is_array = !arguments.axes.empty();
  Prepared prepared{arguments.job, {}, {}, {}};
  BatchJob& job = prepared.job;
  HONE_CHECK(ConfigError, job.gpus_per_node == 0 || arguments.ntasks_per_node <= job.gpus_per_node,
             "--ntasks-per-node {}: expected at most --gpus-per-node, which is {}: each rank takes "
             "a GPU",
             arguments.ntasks_per_node, job.gpus_per_node);
  job.ntasks_per_node =
      arguments.ntasks_per_node > 0 ? arguments.ntasks_per_node : std::max(1, job.gpus_per_node);
  const std::vector<SweepRun> runs = expand_sweep(arguments.axes);
  check_runs(arguments, common, job, runs);
  const fs::path root = root_of(arguments.config.load(common).options);
  warn_of_local_disk(root);
  for (const SweepRun& run : runs) {
    const fs::path output = is_array ? root / run.name : root;
    prepared.outputs.push_back(output);
    if (const auto done = checkpoint::list(output); !done.empty())
      log::info("{} has a checkpoint of step {}: the job goes on from there", output.string(),
                done.back().step);
    if (!is_array) continue;
    job.tasks.push_back(run.overrides);
    job.tasks.back().push_back("train.output_dir=" + output.string());
  }
  if (job.name.empty()) job.name = job_name_of(root);
  job.folder = fs::current_path().string();
  job.output = root.string();
  const fs::path stem = free_stem(root / "submit", job_name_of(root));
  job.log = log_pattern(stem, is_array);
  prepared.script = stem.string() + ".sbatch";
  prepared.config = stem.string() + ".yaml";
  job.command = command_of(arguments, common, prepared.config);
  return prepared;
}

/// @param job empty: it was not submitted
nlohmann::ordered_json summary_of(const Prepared& prepared, const std::string& job,
                                  const std::string& text) {
  nlohmann::ordered_json summary = {{"ok", true}};
  if (!job.empty()) summary["job"] = job;
  summary.update({{"script", prepared.script.string()},
                  {"log", prepared.job.log},
                  {"ranks", prepared.job.ranks()}});
  for (const fs::path& output : prepared.outputs) summary["output_dirs"].push_back(output.string());
  if (job.empty()) summary["text"] = text;
  return summary;
}

/// The path that SLURM makes of the pattern of a log.
std::string log_of(const std::string& pattern, const std::string& job) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      path += pattern[i];
      continue;
    }
    const char next = pattern[++i];
    path += next == '%' ? "%" : next == 'a' ? "0" : job;
  }
  return path;
}

void tell_how_to_follow(const Prepared& prepared, const std::string& job) {
  using distributed::shell_quoted;
  const fs::path root = prepared.job.output;
  fmt::print(
      "job {}, {} ranks{}; its script: {}\n", job, prepared.job.ranks(),
      prepared.job.tasks.empty() ? "" : fmt::format(" each, {} runs", prepared.job.tasks.size()),
      prepared.script.string());
  const std::pair<std::string, std::string> ways[] = {
      {"squeue --job " + job, "where it stands"},
      {"tail -F " + shell_quoted(log_of(prepared.job.log, job)), "what it says"},
      {"hone runs " +
           shell_quoted((prepared.job.tasks.empty() ? root.parent_path() : root).string()),
       "how far it is"},
      {"scancel " + job, "ends it; submitted again, it goes on from the last checkpoint"}};
  for (const auto& [command, meaning] : ways) fmt::print("  {}    # {}\n", command, meaning);
}

ExitCode run_submit(const Arguments& arguments, const Common& common) {
  HONE_CHECK(
      ConfigError, arguments.dry_run || distributed::has_sbatch(),
      "sbatch was not found: submit on a machine of the cluster that has SLURM's commands, or "
      "look at the script with --dry-run");
  const Prepared prepared = prepare(arguments, common);
  const std::string text = distributed::sbatch_script(prepared.job);
  if (arguments.dry_run) {
    if (common.json) {
      print_row(summary_of(prepared, "", text));
    } else {
      fmt::print("{}", text);
    }
    return ExitCode::kDone;
  }
  make_folder(prepared.script.parent_path());
  // The copy stays as it is while the job waits, whatever becomes of the file.
  write_file_atomically(prepared.config, read_file(arguments.config.path));
  write_file_atomically(prepared.script, text);
  const std::string job = distributed::submit_script(prepared.script);
  if (common.json) {
    print_row(summary_of(prepared, job, text));
  } else {
    tell_how_to_follow(prepared, job);
  }
  return ExitCode::kDone;
}

void declare_resources(CLI::App& command, Arguments& arguments) {
  BatchJob& job = arguments.job;
  command.add_option("--nodes", job.nodes, "Machines")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--gpus-per-node", job.gpus_per_node, "GPUs of each (0: train on the CPU)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command
      .add_option("--ntasks-per-node", arguments.ntasks_per_node,
                  "Ranks of each; left out: one for each GPU")
      ->check(CLI::Range(1, 1024));
  command.add_option("--cpus-per-task", job.cpus_per_task, "Cores of each rank")
      ->check(CLI::PositiveNumber);
  command.add_option("--mem", job.mem, "Memory of each machine, as 64G");
  command.add_option(
      "--time", job.time,
      "Time limit, as 4:00:00; longer runs go back into the queue and on from there");
  command.add_option("--partition", job.partition, "Of the cluster");
  command.add_option("--account", job.account, "That is charged");
  command.add_option("--qos", job.qos, "Quality of service");
  command.add_option("--dependency", job.dependency, "When it may start, as afterok:1234");
  command.add_option("--job-name", job.name, "Left out: the output folder's");
}

void declare_course(CLI::App& command, Arguments& arguments) {
  BatchJob& job = arguments.job;
  command
      .add_option(
          "--signal-before", job.signal_before_s,
          "Seconds before the time limit at which ranks save and leave: more than a step and "
          "a checkpoint take; SLURM may be up to 60 s early")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command
      .add_option("--max-requeues", job.max_requeues,
                  "How often a job that was saved goes back into the queue")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--max-restarts", job.max_restarts,
                  "How often ranks that failed are started again inside of the job, from the last "
                  "checkpoint")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--setup", arguments.job.setup,
                  "A shell command that the job needs first, as 'module load cuda'; repeatable")
      ->allow_extra_args(false);
  command.add_option("--container", job.container,
                     "An image that the ranks run in, with a `hone` on its PATH");
  command.add_option("--container-runtime", job.container_runtime, "What runs it")
      ->check(CLI::IsMember(distributed::container_runtimes()))
      ->capture_default_str();
  command
      .add_option("--array", arguments.axes,
                  "'a.b=v1,v2,v3': a sweep, one run for each value, in folders below "
                  "train.output_dir; repeated: all combinations")
      ->allow_extra_args(false);
  command
      .add_option("--array-parallel", job.array_parallel,
                  "How many of a sweep run at once (0: as many as there is room for)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_flag("--skip-data", arguments.skip_data,
                   "Look at the config alone before submitting, not at model and data");
  command.add_flag("--dry-run", arguments.dry_run, "Print the script; nothing is written or sent");
}

}  // namespace

Action declare_submit(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command);
  declare_resources(command, *arguments);
  declare_course(command, *arguments);
  return [arguments, &common] { return run_submit(*arguments, common); };
}

}  // namespace hone::cli
