#include "plan/scale.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone::plan {
namespace {

/// Rings that leave a node go at the pace of the slower link.
double seconds_of(const Transfer& transfer, const Cluster& cluster, std::int64_t gpus) {
  const bool stays_inside = transfer.over == Over::kNode ||
                            (transfer.over == Over::kAll && gpus <= cluster.gpus_per_node);
  const double bandwidth = stays_inside
                               ? cluster.intra_bytes_per_s
                               : std::min(cluster.intra_bytes_per_s, cluster.inter_bytes_per_s);
  const double latency = stays_inside ? cluster.intra_latency_s : cluster.inter_latency_s;
  return transfer.bytes / (bandwidth * cluster.reached) + transfer.hops * latency;
}

/// Seconds of exchange in a pass, and the part of them that nothing can hide: what the first
/// computation waits for, or what follows the last one.
struct Pass {
  double exchange_s = 0, bare_s = 0;
  void add(double seconds, double collectives) {
    exchange_s += seconds;
    bare_s += seconds / std::max(collectives, 1.0);
  }
  double exposed(double computing_s) const { return std::max(bare_s, exchange_s - computing_s); }
};

}  // namespace

Prediction predict(const Plan& plan, const SingleDevice& device, const Strategy& strategy,
                   const Cluster& cluster, std::int64_t gpus) {
  const std::vector<Transfer> list = transfers(plan, strategy, gpus, cluster.gpus_per_node);
  Pass forward, backward, last;
  double after_s = 0;
  for (const Transfer& transfer : list) {
    const double seconds = seconds_of(transfer, cluster, gpus);
    switch (transfer.when) {
      case When::kForward:
        forward.add(seconds, transfer.collectives);
        break;
      case When::kBackward:
        backward.add(seconds, transfer.collectives);
        break;
      case When::kLastBackward:
        last.add(seconds, transfer.collectives);
        break;
      case When::kAfter:
        after_s += seconds;
        break;
    }
  }
  // What goes on in every backward pass leaves that much less to hide the last one's behind.
  const double of_backward = backward.exposed(device.backward_s);
  const double free_s = std::max(0.0, device.backward_s - backward.exchange_s) /
                        double(std::max<std::int64_t>(plan.micro_batches, 1));
  Prediction prediction{.strategy = strategy.name, .gpus = gpus};
  prediction.exchange_s = forward.exchange_s + backward.exchange_s + last.exchange_s + after_s;
  prediction.without_overlap_s = device.step_s() + prediction.exchange_s;
  prediction.step_s = device.step_s() + forward.exposed(device.forward_s) + of_backward +
                      last.exposed(free_s) + after_s;
  prediction.efficiency = device.step_s() / prediction.step_s;
  prediction.tokens_per_s = double(gpus) * device.tokens / prediction.step_s;
  prediction.sent_bytes = sent_bytes(list);
  prediction.memory_bytes = memory_per_rank(plan, strategy, gpus, cluster.gpus_per_node).total();
  return prediction;
}

std::vector<Assumption> assumptions(const SingleDevice& device, const Cluster& cluster) {
  const std::string counted =
      "tests/distributed/exchange_bytes_test.cpp counts what Gloo sends on 2 and 4 processes";
  return {
      {fmt::format("one device takes {:.4g} s a step: {}", device.step_s(), device.from),
       device.is_measured ? "measured in that run" : ""},
      {"a rank sends 2(n-1)/n of what is summed, and (n-1)/n of what is gathered or scattered",
       counted + " under ddp"},
      {"gradients are summed in fp32, once a step; sharded ones with every micro-batch",
       counted + " under ddp"},
      {"a step takes the single device's time and what of the exchange nothing hides "
       "(tests/bench/scale.py measures it for 2 ranks of ddp)",
       ""},
      {fmt::format("links inside a node carry {:.4g} GB/s, between nodes {:.4g} GB/s, for each GPU "
                   "and direction; large messages get {:.0f} % of that",
                   cluster.intra_bytes_per_s / 1e9, cluster.inter_bytes_per_s / 1e9,
                   100 * cluster.reached),
       ""},
      {fmt::format("a hop takes {:.3g} us inside a node, {:.3g} us between nodes; collectives are "
                   "rings, and each waits for its hops (trees need fewer)",
                   cluster.intra_latency_s * 1e6, cluster.inter_latency_s * 1e6),
       ""},
      {"full fine-tuning's gradients travel while the backward pass goes on, gathered weights one "
       "layer ahead; an adapter's gradients follow the backward pass, updated weights the update. "
       "What computing and exchanging take from each other is left out",
       ""},
      {"every GPU has the same work and is as fast as the one measured; rows come in time", ""},
  };
}

}  // namespace hone::plan
