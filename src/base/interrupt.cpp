#include "base/interrupt.h"

#include <atomic>
#include <csignal>

namespace hone {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1};

std::atomic<int> g_received = 0;
std::atomic<int> g_holds = 0;  // by whatever thread: backward passes have some of their own
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may write it");

void note(int signal) {
  g_received = signal;
  std::signal(signal, SIG_DFL);  // the next one is not caught
}

}  // namespace

InterruptGuard::InterruptGuard() {
  g_received = 0;
  for (const int signal : kSignals) std::signal(signal, note);
}

InterruptGuard::~InterruptGuard() {
  for (const int signal : kSignals) std::signal(signal, SIG_DFL);
  g_received = 0;
}

InterruptHold::InterruptHold() { ++g_holds; }
InterruptHold::~InterruptHold() { --g_holds; }

int interrupt_requested() { return g_received.load(std::memory_order_relaxed); }

void leave_if_interrupted() {
  if (const int signal = interrupt_requested(); signal != 0 && g_holds == 0) [[unlikely]]
    throw Interrupted(fmt::format("interrupted by signal {}; run it again to go on", signal));
}

}  // namespace hone
