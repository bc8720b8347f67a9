#include "distributed/batch_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace hone::distributed {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Refuses what would not stay on its line.
void check_line(std::string_view what, std::string_view text) {
  HONE_CHECK(ConfigError, std::ranges::none_of(text, is_control),
             "{}: {:?} holds a line break or another control character, which a line of the batch "
             "script cannot; leave it out",
             what, text);
}

/// Refuses what SLURM's own names and numbers are not made of.
void check_slurm_word(std::string_view option, std::string_view text) {
  check_line(option, text);
  const auto is_usual = [](char c) {
    return is_letter_or_digit(c) ||
           std::string_view("_.,:+=@%/?*()[]-").find(c) != std::string::npos;
  };
  HONE_CHECK(ConfigError, std::ranges::all_of(text, is_usual),
             "{} {:?}: expected letters, digits and _.,:+=@%/?*()[]- as SLURM's names have them",
             option, text);
}

void check_texts(const BatchJob& job) {
  for (const auto& [option, text] : {std::pair{"--job-name", &job.name},
                                     {"--time", &job.time},
                                     {"--partition", &job.partition},
                                     {"--account", &job.account},
                                     {"--qos", &job.qos},
                                     {"--mem", &job.mem},
                                     {"--dependency", &job.dependency}})
    check_slurm_word(option, *text);
  check_line("--container", job.container);
  check_line("the folder that the job runs in", job.folder);
  check_line("train.output_dir", job.output);
  check_line("the log", job.log);
  // SLURM takes a path with one as it is, with the % for the job's number in it.
  HONE_CHECK(
      ConfigError, job.log.find('\\') == std::string::npos,
      "{}: SLURM fills no job's number into the path of a log that holds a \\; choose another "
      "train.output_dir",
      job.log);
  for (const std::string& line : job.setup) check_line("--setup", line);
  for (const std::string& word : job.command) check_line("an argument", word);
  for (const auto& task : job.tasks)
    for (const std::string& word : task) check_line("--array", word);
}

/// A part of the script that is made of lines.
class Lines {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  void add_text(std::string_view text) { text_ += text; }
  /// `#SBATCH --option=value`, where there is a value.
  void ask(std::string_view option, const std::string& value) {
    if (!value.empty()) add("#SBATCH --{}={}", option, value);
  }
  void ask(std::string_view option, int value) {
    if (value > 0) add("#SBATCH --{}={}", option, value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void ask_slurm(const BatchJob& job, Lines& lines) {
  lines.ask("job-name", job.name);
  lines.ask("nodes", job.nodes);
  lines.ask("ntasks-per-node", job.ntasks_per_node);
  lines.ask("gpus-per-node", job.gpus_per_node);
  lines.ask("cpus-per-task", job.cpus_per_task);
  lines.ask("mem", job.mem);
  lines.ask("time", job.time);
  lines.ask("partition", job.partition);
  lines.ask("account", job.account);
  lines.ask("qos", job.qos);
  lines.ask("dependency", job.dependency);
  if (!job.tasks.empty()) {
    const std::string parallel =
        job.array_parallel > 0 ? fmt::format("%{}", job.array_parallel) : "";
    lines.add("#SBATCH --array=0-{}{}", job.tasks.size() - 1, parallel);
  }
  lines.add("#SBATCH --output={}", shell_quoted(job.log));
  lines.add("# After a requeue the log goes on.");
  lines.add("#SBATCH --open-mode=append");
  lines.add("# So many seconds ahead of the time limit the ranks are told to save and to leave.");
  lines.add("#SBATCH --signal=USR1@{}", job.signal_before_s);
  lines.add("# Allows what stands at the end.");
  lines.add("#SBATCH --requeue");
}

void prepare(const BatchJob& job, Lines& lines) {
  lines.add("\ncd {} || exit", shell_quoted(job.folder));
  if (!job.setup.empty()) {
    lines.add("\n# Set-up: the job ends where one of these fails.\nset -e");
    for (const std::string& line : job.setup) lines.add("{}", line);
    lines.add("set +e");
  }
  lines.add("\n# Ranks that each took all cores would be in each other's way.");
  lines.add("export OMP_NUM_THREADS=\"${{OMP_NUM_THREADS:-${{SLURM_CPUS_PER_TASK:-1}}}}\"");
  lines.add("own=()");
  if (job.tasks.empty()) return;
  lines.add("# The sweep: what each task of the array has of its own.");
  lines.add("case $SLURM_ARRAY_TASK_ID in");
  for (std::size_t i = 0; i < job.tasks.size(); ++i) {
    std::vector<std::string> words;
    for (const std::string& word : job.tasks[i]) words.push_back(shell_quoted(word));
    lines.add("  {}) own=({}) ;;", i, fmt::join(words, " "));
  }
  lines.add("esac");
}

/// What a container sees of this machine's files: where the program runs, and the run's folder.
std::vector<std::string> mounts_of(const BatchJob& job) {
  for (const std::string* path : {&job.folder, &job.output})
    HONE_CHECK(ConfigError, path->find_first_of(":,") == std::string::npos,
               "{}: a container cannot be given a path that holds : or ,", *path);
  return {job.folder + ":" + job.folder, job.output + ":" + job.output};
}

/// One way to run ranks in a container: what comes before the shell that watches a rank, and what
/// before the rank's own command.
struct ContainerRuntime {
  std::string_view name;
  std::vector<std::string> (*of_srun)(const BatchJob& job);
  std::vector<std::string> (*of_rank)(const BatchJob& job);
};

std::vector<std::string> nothing(const BatchJob&) { return {}; }

const ContainerRuntime kRuntimes[] = {
    {"pyxis",
     [](const BatchJob& job) -> std::vector<std::string> {
       return {"--container-image=" + job.container,
               fmt::format("--container-mounts={}", fmt::join(mounts_of(job), ",")),
               "--container-workdir=" + job.folder};
     },
     nothing},
    {"apptainer", nothing,
     [](const BatchJob& job) {
       std::vector<std::string> words = {"apptainer", "exec"};
       if (job.gpus_per_node > 0) words.emplace_back("--nv");
       for (const std::string& mount : mounts_of(job)) words.push_back("--bind=" + mount);
       words.insert(words.end(), {"--pwd=" + job.folder, job.container});
       return words;
     }},
};

const ContainerRuntime& runtime_of(const BatchJob& job) {
  const auto* found = std::ranges::find(kRuntimes, job.container_runtime, &ContainerRuntime::name);
  HONE_CHECK(ConfigError, found != std::end(kRuntimes),
             "--container-runtime {}: expected one of {}", job.container_runtime,
             fmt::join(container_runtimes(), ", "));
  return *found;
}

/// Words of a command, each quoted on a line of its own.
void add_words(Lines& lines, const std::vector<std::string>& words) {
  for (const std::string& word : words) lines.add("    {} \\", shell_quoted(word));
}

void start_ranks(const BatchJob& job, Lines& lines) {
  lines.add(R"(
# One rank, as srun starts it. srun ends all others where a rank fails, and to be saved is no failure:
# a rank that was (exit code 75), or was signalled before it could listen (SIGTERM, SIGUSR1), leaves
# a note. The shell itself outlives these signals.
export HONE_AGAIN={}/again-"$SLURM_JOB_ID"
rank='trap : INT TERM USR1; "$@"; code=$?
case $code in 75 | 138 | 143) : >"$HONE_AGAIN" && exit 0 ;; esac
exit $code'
)",
            shell_quoted(job.output + "/submit"));
  lines.add("for ((attempt = 0; attempt <= {}; attempt++)); do", job.max_restarts);
  lines.add("  rm -f \"$HONE_AGAIN\"");
  lines.add("  srun --label --kill-on-bad-exit=1 \\");
  std::vector<std::string> of_rank;
  if (job.cpus_per_task > 0)  // srun does not take it from the job
    add_words(lines, {fmt::format("--cpus-per-task={}", job.cpus_per_task)});
  if (!job.container.empty()) {
    add_words(lines, runtime_of(job).of_srun(job));
    of_rank = runtime_of(job).of_rank(job);
  }
  lines.add("    sh -c \"$rank\" rank \\");
  add_words(lines, of_rank);
  add_words(lines, job.command);
  lines.add("    \"${{own[@]}}\" \\\n    --resume auto");
  lines.add("  code=$?");
  lines.add("  # Done or saved, or a wrong config, which fails again.");
  lines.add("  if ((code == 0 || code == 2)); then break; fi");
  lines.add("done");
}

/// The end: what becomes of the job.
constexpr std::string_view kEnding = R"END(
if ((code != 0)); then
  echo "hone: ended with code $code; submitted again, it goes on from the last checkpoint" >&2
  rm -f "$HONE_AGAIN"
  exit "$code"
fi
[[ -e $HONE_AGAIN ]] || exit 0
rm -f "$HONE_AGAIN"
if ((${{SLURM_RESTART_COUNT:-0}} >= {0})); then
  echo "hone: saved, and not requeued: it was {0} times before (--max-requeues)" >&2
  exit 75
fi
# scontrol would bring back a job that was cancelled, too.
if [[ $(squeue --noheader --states=RUNNING --format=%T --job="$SLURM_JOB_ID") != RUNNING ]]; then
  echo "hone: saved, and not requeued, as the job is to end" >&2
  exit 75
fi
echo "hone: saved; back into the queue" >&2
scontrol requeue "$SLURM_JOB_ID" && exit 0
echo "hone: the cluster does not requeue jobs; sbatch the same script to go on" >&2
exit 75
)END";

}  // namespace

std::vector<std::string> container_runtimes() {
  std::vector<std::string> names;
  for (const ContainerRuntime& runtime : kRuntimes) names.emplace_back(runtime.name);
  return names;
}

std::string shell_quoted(std::string_view text) {
  const auto is_plain = [](char c) {
    return is_letter_or_digit(c) ||
           std::string_view("_./:,=+@%-").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string sbatch_script(const BatchJob& job) {
  check_texts(job);
  Lines lines;
  lines.add("#!/bin/bash");
  lines.add("# A training run as a SLURM job, written by `hone submit`. It can be given to sbatch");
  lines.add("# again: what is done is not done anew, it goes on from the last checkpoint.\n");
  ask_slurm(job, lines);
  prepare(job, lines);
  start_ranks(job, lines);
  lines.add_text(fmt::format(fmt::runtime(kEnding), job.max_requeues));
  return lines.take();
}

}  // namespace hone::distributed
