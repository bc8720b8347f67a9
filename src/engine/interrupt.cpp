#include "engine/interrupt.h"

#include <csignal>

namespace hone::engine {
namespace {

volatile std::sig_atomic_t g_received = 0;

void note(int signal) {
  g_received = signal;
  std::signal(signal, SIG_DFL);  // the next one is not caught
}

}  // namespace

InterruptGuard::InterruptGuard() {
  g_received = 0;
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int InterruptGuard::received() { return g_received; }

}  // namespace hone::engine
