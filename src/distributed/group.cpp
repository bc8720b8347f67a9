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
  std::shared_ptr<Link> whole;  // of a part of a group, the link that it is a part of
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  std::optional<Heartbeat> heartbeat;
  bool in_first_step = true;
  bool has_failed = false;

  ~Link() {
    heartbeat.reset();
    // Its threads wait in a collective that nobody will end, and its destructor for them.
    if (has_failed || root().has_failed) gloo.release();
  }

  Link& root() { return whole ? *whole : *this; }
  const Link& root() const { return whole ? *whole : *this; }

  void open_gloo(int rank, int world) {
    // Gloo's own limit comes after ours.
    const auto limit = std::chrono::seconds(options.first_step_timeout_s) + 60s;
    auto gloo_options = c10d::ProcessGroupGloo::Options::create(limit);
    gloo_options->devices.push_back(make_device(place));
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world, gloo_options);
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
    open_gloo(place.rank, place.world);
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
    const bool is_long = root().in_first_step || call.patience == Patience::kPhase;
    return std::chrono::seconds(is_long ? options.first_step_timeout_s : options.timeout_s);
  }

  [[noreturn]] void fail(const Call& call, const std::string& reason) {
    has_failed = root().has_failed = true;
    throw DistributedError(fmt::format(
        "rank {} of {}: {} of {}: {}. What the last checkpoint holds is good; run it again with "
        "--resume auto",
        place.rank, place.world, call.collective, call.what, reason));
  }

  /// A connection has broken: says whose.
  [[noreturn]] void fail_of_broken(const Call& call, const std::exception& error) {
    for (const auto begin = Clock::now(); Clock::now() - begin < kInquiry;
         std::this_thread::sleep_for(100ms))
      if (const auto missing = root().heartbeat->missing(kSilenceOfABroken))
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
      if (const auto missing = root().heartbeat->missing(kSilence))
        fail(call, root().heartbeat->missing(kSilenceOfABroken).value_or(*missing));
      if (Clock::now() - begin <= limit) continue;
      fail(call, fmt::format("all ranks live, and not all have come within {} s: one computes much "
                             "longer than the others, or waits for something itself. "
                             "distributed.timeout_s and first_step_timeout_s say how long is too "
                             "long",
                             limit.count()));
    }
  }

  /// A collective for each slice of a tensor: all at once on the host, else one after the other.
  /// @param begin gives the work of slice number `rank`
  /// @return what waits for them
  template <class Begin>
  std::function<void()> run_slices(const Tensor& all, int world, const Call& call, Begin&& begin) {
    const std::vector<Tensor> slices = all.chunk(world);
    if (!all.is_cpu()) {
      for (int rank = 0; rank < world; ++rank)
        run(slices[std::size_t(rank)], call,
            [&](std::vector<Tensor>& tensors) { return begin(tensors, rank); });
      return [] {};
    }
    std::vector<std::pair<std::vector<Tensor>, WorkPointer>> under_way;
    try {
      for (int rank = 0; rank < world; ++rank) {
        under_way.emplace_back(std::vector<Tensor>{slices[std::size_t(rank)]}, WorkPointer());
        under_way.back().second = begin(under_way.back().first, rank);
      }
    } catch (const std::exception& error) {
      fail_of_broken(call, error);
    }
    return [this, call, under_way = std::move(under_way)] {
      for (const auto& [tensors, work] : under_way) finish(*work, call);
    };
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

std::function<void()> Group::begin_all_gather_into(const Tensor& all, std::string_view what,
                                                   Patience patience) const {
  if (is_alone()) return [] {};
  // A broadcast of each slice needs no room besides, as Gloo's own all-gather does.
  return link_->run_slices(all, world_, {"all-gather", what, patience},
                           [&](std::vector<Tensor>& tensors, int rank) {
                             c10d::BroadcastOptions options;
                             options.rootRank = rank;
                             return link_->gloo->broadcast(tensors, options);
                           });
}

void Group::all_gather_into(const Tensor& all, std::string_view what, Patience patience) const {
  begin_all_gather_into(all, what, patience)();
}

void Group::reduce_scatter(const Tensor& all, std::string_view what, Patience patience) const {
  if (is_alone()) return;
  // Gloo's own adds up everything on all ranks.
  link_->run_slices(all, world_, {"reduce-scatter", what, patience},
                    [&](std::vector<Tensor>& tensors, int rank) {
                      c10d::ReduceOptions options;
                      options.rootRank = rank;
                      return link_->gloo->reduce(tensors, options);
                    })();
}

Group Group::split(int number, std::string_view name) const {
  if (is_alone()) return {};
  const Tensor own = torch::tensor({static_cast<std::int64_t>(number)}, torch::kInt64);
  const std::vector<Tensor> numbers = all_gather(own, name, Patience::kPhase);
  int rank = 0, world = 0;
  for (int other = 0; other < world_; ++other) {
    if (numbers[std::size_t(other)].item<std::int64_t>() != number) continue;
    if (other == rank_) rank = world;
    ++world;
  }
  if (world == 1) return {};
  auto part = std::make_shared<Link>();
  part->place = link_->place;
  part->options = link_->options;
  part->whole = link_->whole ? link_->whole : link_;
  part->store =
      c10::make_intrusive<c10d::PrefixStore>(fmt::format("{}/{}/", name, number), link_->store);
  const Call call{"meeting", name, Patience::kPhase};
  try {
    part->open_gloo(rank, world);
  } catch (const std::exception& error) {
    link_->fail_of_broken(call, error);
  }
  return {rank, world, std::move(part)};
}

void Group::barrier(std::string_view what, Patience patience) const {
  // Not Gloo's own, which ends in the order of the ranks: a sum is over for all at once.
  all_reduce(torch::zeros({1}, torch::kInt32), what, patience);
}

void Group::end_first_step() const {
  if (link_) link_->root().in_first_step = false;
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
