// c10d declares its Gloo side only where it is asked for.
#define USE_C10D_GLOO

#include "distributed/group.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <atomic>
#include <cstdlib>
#include <future>
#include <utility>

#include "base/error.h"
#include "distributed/heartbeat.h"
#include "distributed/nccl.h"
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
/// How often it asks a GPU.
constexpr auto kPoll = 50us;
/// What NCCL gets at most to end what its kernels wait for.
constexpr auto kAbort = 2s;

/// A collective, for messages.
struct Call {
  const char* collective;
  std::string what;
  Patience patience;
};

/// One that is under way.
struct Underway {
  Call call;
  Tensor tensor;     ///< the caller's
  Tensor exchanged;  ///< it, or a copy of it where the backend can take that
  WorkPointer work;
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
  torch::Device device = torch::kCPU;
  std::shared_ptr<Link> whole = nullptr;  ///< of a part of a group: what it is a part of
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> gloo;
  c10::intrusive_ptr<c10d::Backend> nccl;  ///< null: tensors of a GPU go through the host
  std::optional<Heartbeat> heartbeat;
  std::atomic<std::int64_t> step = 0;  ///< 0: before the first one
  std::atomic<bool> in_first_step = true, has_failed = false, is_given_up = false;

  ~Link() {
    heartbeat.reset();
    if (!has_failed && !root().has_failed) return;
    // Their threads wait in a collective that nobody will end, and their destructors for them.
    gloo.release();
    nccl.release();
  }

  Link& root() { return whole ? *whole : *this; }
  const Link& root() const { return whole ? *whole : *this; }

  bool goes_by_nccl(const Tensor& tensor) const { return tensor.is_cuda() && nccl; }
  /// Who carries a tensor from rank to rank.
  c10d::Backend& backend_for(const Tensor& tensor) const {
    return goes_by_nccl(tensor) ? *nccl : *gloo;
  }

  /// The tensor, or a copy of it as its backend takes it.
  Tensor exchangeable(const Tensor& tensor) const {
    const bool goes_as_it_is = tensor.is_cpu() || nccl;
    return (goes_as_it_is ? tensor : tensor.to(torch::kCPU)).contiguous();
  }

  /// Opens what carries tensors between `world` ranks, which meet through `store`.
  void open_backends(int rank, int world) {
    // Their own limits come after ours.
    const auto limit = std::chrono::seconds(options.first_step_timeout_s) + 60s;
    auto gloo_options = c10d::ProcessGroupGloo::Options::create(limit);
    gloo_options->devices.push_back(make_device(place));
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world, gloo_options);
    if (device.is_cuda() && options.backend != "gloo")
      nccl = open_nccl({.store = c10::make_intrusive<c10d::PrefixStore>("nccl", store),
                        .rank = rank,
                        .world = world,
                        .device = device,
                        .timeout = limit});
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
    open_backends(place.rank, place.world);
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

  /// Ends the kernels that wait for ranks which will not come: the process could not end before.
  void abort_nccl() {
    if (!nccl) return;
    auto aborted = std::make_shared<std::promise<void>>();
    const std::future<void> is_aborted = aborted->get_future();
    std::thread([own = nccl, aborted] {
      try {
        own->abort();
      } catch (const std::exception&) {
        // What ends the process says more.
      }
      aborted->set_value();
    }).detach();
    is_aborted.wait_for(kAbort);
  }

  [[noreturn]] void fail(const Call& call, const std::string& reason) {
    const bool is_first = !has_failed.exchange(true);
    root().has_failed = true;
    if (is_first) abort_nccl();
    const std::int64_t now = root().step;
    throw DistributedError(fmt::format(
        "rank {} of {}: {}{} of {}: {}. What the last checkpoint holds is good; run it again with "
        "--resume auto",
        place.rank, place.world, now > 0 ? fmt::format("step {}: ", now) : "", call.collective,
        call.what, reason));
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
  bool is_over(const Underway& underway) {
    c10d::Work& work = *underway.work;
    if (underway.exchanged.is_cuda()) return is_over_on_device(work, underway.call);
    try {
      return work.wait(kSlice);
    } catch (const std::exception& error) {
      if (!work.isCompleted()) return false;  // the while is over
      if (work.isSuccess()) return true;
      fail_of_broken(underway.call, error);
    }
  }

  /// NCCL's own wait is one of the device's queue: the host would go on, and hang at its next look.
  bool is_over_on_device(c10d::Work& work, const Call& call) {
    try {
      for (const auto begin = Clock::now(); !work.isCompleted(); std::this_thread::sleep_for(kPoll))
        if (Clock::now() - begin > kSlice) return false;
      if (const std::exception_ptr error = work.exception()) std::rethrow_exception(error);
      work.synchronize();
      return true;
    } catch (const std::exception& error) {
      fail_of_broken(call, error);
    }
  }

  void finish(const Underway& underway) {
    const Call& call = underway.call;
    const auto begin = Clock::now();
    const std::chrono::seconds limit = limit_of(call);
    while (!is_over(underway)) {
      if (root().is_given_up) fail(call, "this rank cannot go on; its other message says why");
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
    const torch::NoGradGuard no_grad;
    if (!underway.exchanged.is_same(underway.tensor))
      Tensor(underway.tensor).copy_(underway.exchanged);
  }

  /// Begins a collective on a tensor, or on a copy of it that finish() copies back.
  /// @param start gives the work
  template <class Start>
  Underway begin(const Tensor& tensor, Call call, Start&& start) {
    const torch::NoGradGuard no_grad;
    Underway underway = {std::move(call), tensor, exchangeable(tensor), nullptr};
    std::vector<Tensor> tensors = {underway.exchanged};
    try {
      underway.work = start(backend_for(underway.exchanged), tensors);
    } catch (const std::exception& error) {
      fail_of_broken(underway.call, error);
    }
    return underway;
  }

  /// A collective for each of `world` slices of a tensor, all under way at once.
  /// @param start gives the work of slice number `rank`
  /// @return what waits for them
  template <class Start>
  std::function<void()> begin_slices(const Tensor& all, int world, const Call& call,
                                     Start&& start) {
    const std::vector<Tensor> slices = all.chunk(world);
    std::vector<Underway> under_way;
    for (int rank = 0; rank < world; ++rank)
      under_way.push_back(begin(slices[std::size_t(rank)], call,
                                [&](c10d::Backend& backend, std::vector<Tensor>& tensors) {
                                  return start(backend, tensors, rank);
                                }));
    return [this, under_way = std::move(under_way)] {
      for (const Underway& one : under_way) finish(one);
    };
  }
};

struct Group::Pending::State {
  std::shared_ptr<Link> link;
  Underway underway;
};

void Group::Pending::wait() {
  if (const auto state = std::exchange(state_, nullptr)) state->link->finish(state->underway);
}

Group::Group(int rank, int world, std::shared_ptr<Link> link)
    : rank_(rank), world_(world), link_(std::move(link)) {}

Group Group::join(const Place& place, const DistributedOptions& options, torch::Device device) {
  if (place.world == 1) return {};
  // c10d warns of every connection that its peers close; what matters of it is told here.
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = 2;
  auto link = std::make_shared<Link>();
  link->place = place;
  link->options = options;
  link->device = device;
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

torch::Dtype Group::reduce_dtype() const {
  const bool is_half = link_ && link_->options.reduce_dtype == "bf16";
  return is_half ? torch::kBFloat16 : torch::kFloat32;
}

Group::Pending Group::all_reduce_async(Tensor tensor, std::string_view what,
                                       Patience patience) const {
  Pending pending;
  if (is_alone()) return pending;
  const auto start = [](c10d::Backend& backend, std::vector<Tensor>& tensors) {
    return backend.allreduce(tensors);
  };
  pending.state_ = std::make_shared<Pending::State>(Pending::State{
      link_, link_->begin(tensor, {"all-reduce", std::string(what), patience}, start)});
  return pending;
}

void Group::all_reduce(Tensor tensor, std::string_view what, Patience patience) const {
  all_reduce_async(std::move(tensor), what, patience).wait();
}

void Group::broadcast(Tensor tensor, int root, std::string_view what, Patience patience) const {
  if (is_alone()) return;
  c10d::BroadcastOptions options;
  options.rootRank = root;
  const auto start = [&](c10d::Backend& backend, std::vector<Tensor>& tensors) {
    return backend.broadcast(tensors, options);
  };
  link_->finish(link_->begin(tensor, {"broadcast", std::string(what), patience}, start));
}

std::vector<Tensor> Group::all_gather(const Tensor& tensor, std::string_view what,
                                      Patience patience) const {
  if (is_alone()) return {tensor};
  const Tensor own = link_->exchangeable(tensor);
  std::vector<std::vector<Tensor>> outputs(1);
  for (int rank = 0; rank < world_; ++rank) outputs[0].push_back(torch::empty_like(own));
  const auto start = [&](c10d::Backend& backend, std::vector<Tensor>& tensors) {
    return backend.allgather(outputs, tensors);
  };
  link_->finish(link_->begin(own, {"all-gather", std::string(what), patience}, start));
  for (Tensor& output : outputs[0]) output = output.to(tensor.device());
  return std::move(outputs[0]);
}

Tensor Group::all_to_all(const Tensor& tensor, std::string_view what, Patience patience) const {
  if (is_alone()) return tensor.view({1, -1});
  HONE_ASSERT(tensor.numel() % world_ == 0, "{} numbers for {} ranks", tensor.numel(), world_);
  const Tensor own = link_->exchangeable(tensor.view({world_, -1}));
  // As bytes: Gloo knows few types, and nothing is computed here.
  const Tensor received = torch::empty_like(own);
  Tensor bytes = received.view(torch::kUInt8);
  const auto start = [&](c10d::Backend& backend, std::vector<Tensor>& tensors) {
    std::vector<std::int64_t> even;  // none: parts of one size
    return backend.alltoall_base(bytes, tensors[0], even, even);
  };
  link_->finish(
      link_->begin(own.view(torch::kUInt8), {"all-to-all", std::string(what), patience}, start));
  return received.to(tensor.device());
}

std::function<void()> Group::begin_all_gather_into(const Tensor& all, std::string_view what,
                                                   Patience patience) const {
  if (is_alone()) return [] {};
  const Call call = {"all-gather", std::string(what), patience};
  if (link_->goes_by_nccl(all)) {
    const auto start = [&](c10d::Backend& backend, std::vector<Tensor>& tensors) {
      Tensor own = tensors[0].chunk(world_)[std::size_t(rank_)];
      return backend._allgather_base(tensors[0], own);
    };
    return [link = link_, underway = link_->begin(all, call, start)] { link->finish(underway); };
  }
  // A broadcast of each slice needs no room besides, as Gloo's own all-gather does.
  const auto start = [](c10d::Backend& backend, std::vector<Tensor>& tensors, int rank) {
    c10d::BroadcastOptions options;
    options.rootRank = rank;
    return backend.broadcast(tensors, options);
  };
  return link_->begin_slices(all, world_, call, start);
}

void Group::all_gather_into(const Tensor& all, std::string_view what, Patience patience) const {
  begin_all_gather_into(all, what, patience)();
}

void Group::reduce_scatter(const Tensor& all, std::string_view what, Patience patience) const {
  if (is_alone()) return;
  const Call call = {"reduce-scatter", std::string(what), patience};
  if (link_->goes_by_nccl(all)) {
    const auto start = [&](c10d::Backend& backend, std::vector<Tensor>& tensors) {
      Tensor own = tensors[0].chunk(world_)[std::size_t(rank_)];
      return backend._reduce_scatter_base(own, tensors[0]);
    };
    return link_->finish(link_->begin(all, call, start));
  }
  // Gloo's own adds up everything on all ranks.
  const auto start = [](c10d::Backend& backend, std::vector<Tensor>& tensors, int rank) {
    c10d::ReduceOptions options;
    options.rootRank = rank;
    return backend.reduce(tensors, options);
  };
  link_->begin_slices(all, world_, call, start)();
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
  part->device = link_->device;
  part->whole = link_->whole ? link_->whole : link_;
  part->store =
      c10::make_intrusive<c10d::PrefixStore>(fmt::format("{}/{}/", name, number), link_->store);
  try {
    part->open_backends(rank, world);
  } catch (const std::exception& error) {
    link_->fail_of_broken({"meeting", std::string(name), Patience::kPhase}, error);
  }
  return {rank, world, std::move(part)};
}

void Group::barrier(std::string_view what, Patience patience) const {
  // Not Gloo's own, which ends in the order of the ranks: a sum is over for all at once.
  all_reduce(torch::zeros({1}, torch::kInt32), what, patience);
}

void Group::begin_step(std::int64_t step) const {
  if (link_) link_->root().step = step;
}

void Group::end_first_step() const {
  if (link_) link_->root().in_first_step = false;
}

void Group::give_up() const {
  if (link_) link_->root().is_given_up = true;
}

void Group::close() {
  if (is_alone()) return;
  barrier("the end of the run", Patience::kPhase);
  link_->heartbeat->stop();
  barrier("the parting");  // rank 0 takes what the heartbeats are told to with it
  if (link_->nccl) link_->nccl->shutdown();
  link_ = nullptr;
  world_ = 1;
}

}  // namespace hone::distributed
