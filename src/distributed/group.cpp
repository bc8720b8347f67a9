// c10d declares its Gloo side only where it is asked for.
#define USE_C10D_GLOO

#include "distributed/group.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstdlib>

#include "base/error.h"
#include "distributed/heartbeat.h"
#include "distributed/network.h"

namespace hone::distributed {
namespace {

using Clock = std::chrono::steady_clock;
using WorkPointer = c10::intrusive_ptr<c10d::Work>;
using namespace std::chrono_literals;

/// A rank that says nothing for so long is dead: it would beat many times.
constexpr auto kSilence = 6s;
/// The same where a connection has broken already, so that one must be.
constexpr auto kSilenceOfABroken = 1500ms;
/// What is waited at most for the heartbeats to show which one.
constexpr auto kInquiry = 3s;
/// How often a wait looks at the heartbeats.
constexpr auto kSlice = 500ms;

/// A collective that is under way.
struct Call {
  const char* collective;
  std::string_view what;
  Patience patience;
};

/// LibTorch's and Gloo's messages, without what only their authors need.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

std::shared_ptr<gloo::transport::Device> make_device(const Place& place) {
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"))
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  // Not by this machine's own name, which many resolve to an address that no other can reach.
  return c10d::ProcessGroupGloo::createDeviceForHostname(
      address_towards(place.master_addr, place.master_port));
}

std::string key_of(int rank) { return fmt::format("beat/{}", rank); }

}  // namespace

struct Group::Link {
  Place place;
  DistributedOptions options;
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  std::optional<Heartbeat> heartbeat;
  bool in_first_step = true;
  bool has_failed = false;

  ~Link() {
    heartbeat.reset();
    // Its threads wait in a collective that nobody will end, and its destructor for them.
    if (has_failed) gloo.release();
  }

  void connect() {
    const auto limit = std::chrono::seconds(options.first_step_timeout_s);
    c10d::TCPStoreOptions store_options;
    store_options.port = static_cast<std::uint16_t>(place.master_port);
    const bool is_there = !place.store_prefix.empty();
    store_options.isServer = place.rank == 0 && !is_there;
    store_options.numWorkers = static_cast<std::size_t>(place.world);
    store_options.waitWorkers = !is_there;
    store_options.timeout = limit;
    store = c10::make_intrusive<c10d::TCPStore>(place.master_addr, store_options);
    if (is_there) store = c10::make_intrusive<c10d::PrefixStore>(place.store_prefix, store);
    store->set(key_of(place.rank), "0");
    auto gloo_options = c10d::ProcessGroupGloo::Options::create(limit + 60s);  // ours comes first
    gloo_options->devices.push_back(make_device(place));
    gloo =
        c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.world, gloo_options);
    heartbeat.emplace(place.rank, place.world, board());
  }

  Board board() const {
    std::vector<std::string> keys;
    for (int rank = 0; rank < place.world; ++rank) keys.push_back(key_of(rank));
    return {[own = store](int rank, const std::string& beat) { own->set(key_of(rank), beat); },
            [own = store, keys] {
              std::vector<std::string> beats;
              for (const auto& value : own->multiGet(keys))
                beats.emplace_back(value.begin(), value.end());
              return beats;
            }};
  }

  std::chrono::seconds limit_of(const Call& call) const {
    const bool is_long = in_first_step || call.patience == Patience::kPhase;
    return std::chrono::seconds(is_long ? options.first_step_timeout_s : options.timeout_s);
  }

  [[noreturn]] void fail(const Call& call, const std::string& reason) {
    has_failed = true;
    throw DistributedError(fmt::format(
        "rank {} of {}: {} of {}: {}. What the last checkpoint holds is good; run it again with "
        "--resume auto",
        place.rank, place.world, call.collective, call.what, reason));
  }

  /// A connection has broken: says whose.
  [[noreturn]] void fail_of_broken(const Call& call, const std::exception& error) {
    for (const auto begin = Clock::now(); Clock::now() - begin < kInquiry;
         std::this_thread::sleep_for(100ms))
      if (const auto missing = heartbeat->missing(kSilenceOfABroken))
        fail(call, fmt::format("{} ({})", *missing, first_line(error)));
    fail(call, fmt::format("a connection broke, and all ranks live: look at the network between "
                           "their machines ({})",
                           first_line(error)));
  }

  /// Waits for a while. @return whether it is over
  bool is_over(c10d::Work& work, const Call& call) {
    try {
      return work.wait(kSlice);
    } catch (const std::exception& error) {
      if (!work.isCompleted()) return false;  // the while is over
      if (work.isSuccess()) return true;
      fail_of_broken(call, error);
    }
  }

  void finish(c10d::Work& work, const Call& call) {
    const auto begin = Clock::now();
    const std::chrono::seconds limit = limit_of(call);
    while (!is_over(work, call)) {
      // Who has left may have left because of one that is dead: that is the one to name.
      if (const auto missing = heartbeat->missing(kSilence))
        fail(call, heartbeat->missing(kSilenceOfABroken).value_or(*missing));
      if (Clock::now() - begin <= limit) continue;
      fail(call, fmt::format("all ranks live, and not all have come within {} s: one computes much "
                             "longer than the others, or waits for something itself. "
                             "distributed.timeout_s and first_step_timeout_s say how long is too "
                             "long",
                             limit.count()));
    }
  }

  /// Runs a collective on the host's copy of a tensor; of one that is there, on itself.
  /// @param begin gives the work
  template <class Begin>
  void run(const Tensor& tensor, const Call& call, Begin&& begin) {
    const torch::NoGradGuard no_grad;
    const bool is_here = tensor.is_cpu() && tensor.is_contiguous();
    std::vector<Tensor> on_host = {is_here ? tensor : tensor.to(torch::kCPU).contiguous()};
    WorkPointer work;
    try {
      work = begin(on_host);
    } catch (const std::exception& error) {
      fail_of_broken(call, error);
    }
    finish(*work, call);
    if (!is_here) Tensor(tensor).copy_(on_host.front());
  }
};

Group::Group(int rank, int world, std::shared_ptr<Link> link)
    : rank_(rank), world_(world), link_(std::move(link)) {}

Group Group::join(const Place& place, const DistributedOptions& options) {
  if (place.world == 1) return {};
  // c10d warns of every connection that its peers close; what matters of it is told here.
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = 2;
  auto link = std::make_shared<Link>();
  link->place = place;
  link->options = options;
  try {
    link->connect();
  } catch (const std::exception& error) {
    throw DistributedError(fmt::format(
        "rank {} of {} ({}) did not meet the others at {}:{} within {} s "
        "(distributed.first_step_timeout_s): {}. Look whether all {} were started, whether "
        "MASTER_ADDR is rank 0's machine as the others see it, and whether the port is free there",
        place.rank, place.world, place.source, place.master_addr, place.master_port,
        options.first_step_timeout_s, first_line(error), place.world));
  }
  return {place.rank, place.world, std::move(link)};
}

void Group::all_reduce(Tensor tensor, std::string_view what, Patience patience) const {
  if (is_alone()) return;
  link_->run(tensor, {"all-reduce", what, patience},
             [&](std::vector<Tensor>& tensors) { return link_->gloo->allreduce(tensors); });
}

void Group::broadcast(Tensor tensor, int root, std::string_view what, Patience patience) const {
  if (is_alone()) return;
  c10d::BroadcastOptions options;
  options.rootRank = root;
  link_->run(tensor, {"broadcast", what, patience}, [&](std::vector<Tensor>& tensors) {
    return link_->gloo->broadcast(tensors, options);
  });
}

std::vector<Tensor> Group::all_gather(const Tensor& tensor, std::string_view what,
                                      Patience patience) const {
  if (is_alone()) return {tensor};
  const Tensor own = tensor.to(torch::kCPU).contiguous();
  std::vector<std::vector<Tensor>> outputs(1);
  for (int rank = 0; rank < world_; ++rank) outputs[0].push_back(torch::empty_like(own));
  link_->run(own, {"all-gather", what, patience}, [&](std::vector<Tensor>& tensors) {
    return link_->gloo->allgather(outputs, tensors);
  });
  for (Tensor& output : outputs[0]) output = output.to(tensor.device());
  return std::move(outputs[0]);
}

void Group::barrier(std::string_view what, Patience patience) const {
  // Not Gloo's own, which ends in the order of the ranks: a sum is over for all at once.
  all_reduce(torch::zeros({1}, torch::kInt32), what, patience);
}

void Group::end_first_step() const {
  if (link_) link_->in_first_step = false;
}

void Group::close() {
  if (is_alone()) return;
  barrier("the end of the run", Patience::kPhase);
  link_->heartbeat->stop();
  barrier("the parting");  // rank 0 takes what the heartbeats are told to with it
  link_ = nullptr;
  world_ = 1;
}

}  // namespace hone::distributed
