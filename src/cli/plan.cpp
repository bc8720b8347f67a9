#include <fmt/ranges.h>

#include <optional>

#include "cli/config_arguments.h"
#include "cli/model_arguments.h"
#include "cli/size_argument.h"
#include "engine/work.h"
#include "plan/advice.h"
#include "plan/measured.h"
#include "plan/scale.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  ConfigArguments config;
  plan::StatedBatch stated;
  std::string memory, measured;
  std::int64_t ranks = 8;
  double device_tflops = 0, mfu = 0;

  bool scale = false;
  double step_time_s = 0;
  std::string intra_node = "nvlink4", inter_node = "ndr";
  std::vector<std::int64_t> gpus = {8, 16, 32, 64, 128, 256, 512, 1024};
  double intra_latency_us = 3, inter_latency_us = 8;
  plan::Cluster cluster;
};

/// Of the peak, where no run says better: what dense training on a GPU usually reaches.
constexpr double kUsualShare = 0.4;

/// How fast the device is, and how that is known.
struct Rate {
  double peak_flops = 0, share = 0;
  std::string peak_from, share_from;
  double flops_per_s() const { return peak_flops * share; }
};

Rate rate_of(const Arguments& arguments, const Common& common, const plan::Plan& plan,
             const std::optional<plan::MeasuredRun>& measured) {
  Rate rate;
  rate.peak_from = arguments.device_tflops > 0 ? "stated" : "measured here";
  rate.peak_flops =
      arguments.device_tflops > 0
          ? arguments.device_tflops * 1e12
          : engine::matrix_peak_flops(torch::Device(common.device), plan.compute_dtype);
  rate.share = kUsualShare;
  rate.share_from = "assumed";
  if (measured && measured->mfu > 0) {
    rate.share = measured->mfu;
    rate.share_from = "measured in that run";
  }
  if (arguments.mfu > 0) {
    rate.share = arguments.mfu;
    rate.share_from = "stated";
  }
  return rate;
}

double step_seconds(const plan::Plan& plan, const Rate& rate) {
  // A run's own share counts what is computed again as time, and not as work.
  const double again = rate.share_from == "measured in that run" ? 0 : plan.work.again;
  return (plan.work.step + again) / rate.flops_per_s();
}

ordered_json as_json(const plan::Memory& memory) {
  return {{"weights_bytes", memory.weights},
          {"trained_bytes", memory.trained},
          {"moments_bytes", memory.moments},
          {"gradients_bytes", memory.gradients},
          {"activations_peak_bytes", memory.activations},
          {"reference_bytes", memory.reference},
          {"host_bytes", memory.host},
          {"total_bytes", memory.total()}};
}

ordered_json as_json(const plan::Plan& plan, const Rate& rate) {
  const double seconds = step_seconds(plan, rate);
  const double tokens = std::max(plan.work.tokens, 1.0);
  return {{"parameters", plan.parameters},
          {"trained_parameters", plan.trained_parameters},
          {"weights", plan.weights_kept_as},
          {"longest_micro_batch",
           {{"tokens", plan.longest.tokens}, {"predicted_tokens", plan.longest.head_rows}}},
          {"memory", as_json(plan.memory)},
          {"layers_bytes", plan.step.layers},
          {"head_bytes", plan.step.head},
          {"flops",
           {{"token", plan.work.step / tokens},
            {"step", plan.work.step},
            {"run", plan.work.step * double(plan.work.steps)},
            {"step_again", plan.work.again}}},
          {"tokens_per_step", plan.work.tokens},
          {"steps", plan.work.steps},
          {"matrix_peak_flops", rate.peak_flops},
          {"matrix_peak_from", rate.peak_from},
          {"mfu", rate.share},
          {"mfu_from", rate.share_from},
          {"step_s", seconds},
          {"tokens_per_s", plan.work.tokens / seconds},
          {"run_s", seconds * double(plan.work.steps)}};
}

std::string in_megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MB", double(bytes) / 1e6);
}

void print_memory(const plan::Plan& plan) {
  const plan::Memory& memory = plan.memory;
  const auto line = [](const char* name, std::int64_t bytes, const std::string& note = "") {
    fmt::print("  {:<14}{:>14}{}{}\n", name, in_megabytes(bytes), note.empty() ? "" : "  ", note);
  };
  fmt::print("memory, with a longest micro-batch of {} tokens ({} predicted)\n",
             plan.longest.tokens, plan.longest.head_rows);
  line("weights", memory.weights, plan.weights_kept_as);
  line("trained", memory.trained, fmt::format("{} numbers", plan.trained_parameters));
  line("moments", memory.moments);
  line("gradients", memory.gradients);
  line("activations", memory.activations,
       fmt::format("layers keep {}, the head takes {}", in_megabytes(plan.step.layers),
                   in_megabytes(plan.step.head)));
  if (memory.reference > 0) line("reference", memory.reference);
  if (memory.host > 0) line("in the host", -memory.host, "moments, in pages");
  line("together", memory.total(), "beside the program and its libraries");
}

void print_ranks(const plan::Plan& plan, std::int64_t ranks, std::int64_t ranks_per_node) {
  if (ranks < 2) return;
  fmt::print("\neach of {} ranks holds\n", ranks);
  for (const plan::Strategy& strategy : plan::strategies())
    if (can_divide(strategy, ranks, ranks_per_node))
      fmt::print("  {:<14}{:>14}\n", strategy.name,
                 in_megabytes(memory_per_rank(plan, strategy, ranks, ranks_per_node).total()));
}

void print_work(const plan::Plan& plan, const Rate& rate) {
  const double seconds = step_seconds(plan, rate);
  fmt::print("\nwork          {:.3g} GFLOP a token, {:.4g} TFLOP a step of {:.0f} tokens\n",
             plan.work.step / std::max(plan.work.tokens, 1.0) / 1e9, plan.work.step / 1e12,
             plan.work.tokens);
  fmt::print(
      "time          {:.4g} s a step, {:.0f} tokens/s, at {:.0f} % ({}) of {:.4g} TFLOP/s ({})\n",
      seconds, plan.work.tokens / seconds, 100 * rate.share, rate.share_from,
      rate.peak_flops / 1e12, rate.peak_from);
  if (plan.work.steps > 0)
    fmt::print("run           {} steps, {:.2f} hours\n", plan.work.steps,
               seconds * double(plan.work.steps) / 3600);
}

ordered_json as_json(const std::vector<plan::Advice>& advice) {
  ordered_json list = ordered_json::array();
  for (const plan::Advice& one : advice)
    list.push_back({{"overrides", one.overrides},
                    {"costs", one.costs},
                    {"saves_bytes", one.saves_bytes},
                    {"total_bytes", one.total_bytes}});
  return list;
}

void print_advice(const std::vector<plan::Advice>& advice, std::int64_t memory_bytes,
                  std::int64_t total) {
  if (total <= memory_bytes) {
    fmt::print("\nfits into {}\n", in_megabytes(memory_bytes));
    return;
  }
  fmt::print("\ndoes not fit into {}; cheapest first:\n", in_megabytes(memory_bytes));
  for (const plan::Advice& one : advice)
    fmt::print("  {}\n      saves {}: {}; with all so far {}{}\n", fmt::join(one.overrides, " "),
               in_megabytes(one.saves_bytes), one.costs, in_megabytes(one.total_bytes),
               one.total_bytes <= memory_bytes ? ", which fits" : "");
  if (advice.empty() || advice.back().total_bytes > memory_bytes)
    fmt::print("  and that is not enough: a smaller model, or distributed.strategy: fsdp\n");
}

/// The single device's step: measured, stated, or from its rate.
plan::SingleDevice single_device(const Arguments& arguments, const plan::Plan& plan,
                                 const Rate& rate,
                                 const std::optional<plan::MeasuredRun>& measured) {
  if (arguments.step_time_s > 0)
    return plan::device_of_step(plan, arguments.step_time_s, "stated by --step-time");
  if (measured) return measured->device;
  return plan::device_of_step(plan, step_seconds(plan, rate),
                              fmt::format("{:.0f} % ({}) of {:.4g} TFLOP/s ({})", 100 * rate.share,
                                          rate.share_from, rate.peak_flops / 1e12, rate.peak_from));
}

plan::Cluster cluster_of(const Arguments& arguments) {
  plan::Cluster cluster = arguments.cluster;
  cluster.intra_bytes_per_s = plan::bandwidth_of(arguments.intra_node, "--intra-node");
  cluster.inter_bytes_per_s = plan::bandwidth_of(arguments.inter_node, "--inter-node");
  cluster.intra_latency_s = arguments.intra_latency_us * 1e-6;
  cluster.inter_latency_s = arguments.inter_latency_us * 1e-6;
  return cluster;
}

void print_predictions(const std::vector<plan::Prediction>& predictions,
                       const std::vector<plan::Assumption>& assumptions) {
  fmt::print("{:<10}{:>6}{:>12}{:>14}{:>12}{:>14}{:>12}{:>12}\n", "strategy", "GPUs", "step, s",
             "no overlap, s", "efficiency", "tokens/s", "sent, MB", "held, MB");
  for (const plan::Prediction& one : predictions)
    fmt::print("{:<10}{:>6}{:>12.4f}{:>14.4f}{:>11.1f}%{:>14.0f}{:>12.1f}{:>12.1f}\n", one.strategy,
               one.gpus, one.step_s, one.without_overlap_s, 100 * one.efficiency, one.tokens_per_s,
               one.sent_bytes / 1e6, double(one.memory_bytes) / 1e6);
  fmt::print("\nThis rests on:\n");
  for (const plan::Assumption& one : assumptions)
    fmt::print("  [{}] {}{}\n", one.checked.empty() ? "stated" : "checked", one.text,
               one.checked.empty() ? "" : " (" + one.checked + ")");
}

ordered_json as_json(const std::vector<plan::Prediction>& predictions,
                     const std::vector<plan::Assumption>& assumptions) {
  ordered_json rows = ordered_json::array(), grounds = ordered_json::array();
  for (const plan::Prediction& one : predictions)
    rows.push_back({{"strategy", one.strategy},
                    {"gpus", one.gpus},
                    {"step_s", one.step_s},
                    {"step_without_overlap_s", one.without_overlap_s},
                    {"exchange_s", one.exchange_s},
                    {"efficiency", one.efficiency},
                    {"tokens_per_s", one.tokens_per_s},
                    {"sent_bytes", one.sent_bytes},
                    {"memory_bytes", one.memory_bytes}});
  for (const plan::Assumption& one : assumptions)
    grounds.push_back({{"text", one.text},
                       {"status", one.checked.empty() ? "stated" : "checked"},
                       {"checked_by", one.checked}});
  return {{"predictions", std::move(rows)}, {"assumptions", std::move(grounds)}};
}

void show_scale(const Arguments& arguments, const Common& common, const plan::Plan& plan,
                const plan::SingleDevice& device) {
  const plan::Cluster cluster = cluster_of(arguments);
  std::vector<plan::Prediction> predictions;
  for (const plan::Strategy& strategy : plan::strategies())
    for (const std::int64_t gpus : arguments.gpus)
      if (can_divide(strategy, gpus, cluster.gpus_per_node))
        predictions.push_back(predict(plan, device, strategy, cluster, gpus));
  const std::vector<plan::Assumption> grounds = assumptions(device, cluster);
  if (!common.json) return print_predictions(predictions, grounds);
  ordered_json document = {{"single_device",
                            {{"step_s", device.step_s()},
                             {"forward_s", device.forward_s},
                             {"backward_s", device.backward_s},
                             {"tokens", device.tokens},
                             {"from", device.from}}},
                           {"gpus_per_node", cluster.gpus_per_node},
                           {"intra_node_bytes_per_s", cluster.intra_bytes_per_s},
                           {"inter_node_bytes_per_s", cluster.inter_bytes_per_s}};
  document.update(as_json(predictions, grounds));
  print_row(document);
}

/// A run's own config where none is named.
config::Loaded<engine::RunOptions> load(Arguments& arguments, const Common& common) {
  if (arguments.config.path.empty() && !arguments.measured.empty())
    arguments.config.path = arguments.measured + "/config.resolved.yaml";
  HONE_CHECK(ConfigError, !arguments.config.path.empty(),
             "hone plan: expected a config file, or --measured RUN, whose config is then taken");
  return arguments.config.load(common);
}

ExitCode run_plan(Arguments arguments, const Common& common) {
  const auto config = load(arguments, common);
  std::optional<plan::MeasuredRun> measured;
  if (!arguments.measured.empty()) measured = plan::read_measured(arguments.measured);
  const plan::Source source = plan::open_source(config.options, arguments.stated, common.device);
  const plan::Plan plan = plan::make_plan(config, source);
  const Rate rate = rate_of(arguments, common, plan, measured);
  if (arguments.scale) {
    show_scale(arguments, common, plan, single_device(arguments, plan, rate, measured));
    return ExitCode::kDone;
  }

  std::vector<plan::Advice> advice;
  const std::int64_t memory = size_of_text(arguments.memory, "--memory");
  const auto reload = [&](const std::vector<std::string>& more) {
    ConfigArguments changed = arguments.config;
    changed.overrides.insert(changed.overrides.end(), more.begin(), more.end());
    return changed.load(common);
  };
  if (memory > 0) advice = advise(plan, config.options, source, reload, memory);
  const std::int64_t per_node = arguments.cluster.gpus_per_node;
  if (common.json) {
    ordered_json document = as_json(plan, rate);
    for (const plan::Strategy& strategy : plan::strategies())
      if (can_divide(strategy, arguments.ranks, per_node))
        document["ranks"][std::string(strategy.name)] =
            as_json(memory_per_rank(plan, strategy, arguments.ranks, per_node));
    if (memory > 0) {
      document["fits"] = plan.memory.total() <= memory;
      document["advice"] = as_json(advice);
    }
    print_row(document);
    return ExitCode::kDone;
  }
  fmt::print("model         {:.1f} M weights, {} trained\n\n", double(plan.parameters) / 1e6,
             plan.trained_parameters);
  print_memory(plan);
  print_ranks(plan, arguments.ranks, per_node);
  print_work(plan, rate);
  if (memory > 0) print_advice(advice, memory, plan.memory.total());
  return ExitCode::kDone;
}

void declare_scale(CLI::App& command, Arguments& arguments) {
  command.add_flag("--scale", arguments.scale,
                   "Step time on 8 to 1,024 GPUs, from one device's and the links' bandwidths");
  command.add_option("--gpus", arguments.gpus, "Numbers of GPUs that --scale looks at")
      ->check(CLI::PositiveNumber)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  command.add_option("--step-time", arguments.step_time_s, "Seconds of one device's step")
      ->check(CLI::PositiveNumber);
  std::string names;
  for (const plan::KnownLink& link : plan::known_links())
    names += fmt::format("{}{} {} ({})", names.empty() ? "" : ", ", link.name, link.gigabytes_per_s,
                         link.source);
  command
      .add_option("--intra-node", arguments.intra_node,
                  "GB/s of one GPU in one direction inside a node, or a known link: " + names)
      ->capture_default_str();
  command.add_option("--inter-node", arguments.inter_node, "The same between nodes")
      ->capture_default_str();
  command
      .add_option("--intra-latency", arguments.intra_latency_us,
                  "Microseconds of a hop inside a node")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--inter-latency", arguments.inter_latency_us, "The same between nodes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--reached", arguments.cluster.reached, "Share of a bandwidth that is reached")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
}

}  // namespace

Action declare_plan(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command, /*required=*/false);
  command.add_option("--memory", arguments->memory,
                     "What the device has (24GiB): advice where the run does not fit");
  command
      .add_option("--tokens", arguments->stated.tokens,
                  "Tokens of a micro-batch, all predicted, in the place of the config's rows")
      ->check(CLI::PositiveNumber);
  command.add_option("--documents", arguments->stated.documents, "Documents that these lie in")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--ranks", arguments->ranks, "Ranks that the strategies share the run among")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--gpus-per-node", arguments->cluster.gpus_per_node, "Ranks of one node")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--device-tflops", arguments->device_tflops,
                  "The device's matrix peak; left out: this machine's, measured")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--mfu", arguments->mfu,
                  "Share of the peak that training reaches; left out: that of --measured, else 0.4")
      ->check(CLI::Range(0.001, 1.0));
  command.add_option("--measured", arguments->measured,
                     "A run's folder: its step times and its share of the peak are taken");
  declare_scale(command, *arguments);
  return [arguments, &common] { return run_plan(*arguments, common); };
}

}  // namespace hone::cli
