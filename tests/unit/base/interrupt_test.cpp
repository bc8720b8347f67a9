#include "base/interrupt.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/support.h"

namespace hone {
namespace {

TEST(Interrupt, IsNotedInsteadOfEndingTheProcess) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const InterruptGuard guard;
    EXPECT_EQ(interrupt_requested(), 0);
    EXPECT_NO_THROW(leave_if_interrupted());
    std::raise(signal);
    EXPECT_EQ(interrupt_requested(), signal);
    EXPECT_THROW(leave_if_interrupted(), Interrupted);
  }
}

TEST(Interrupt, IsForgottenWithItsGuard) {
  {
    const InterruptGuard guard;
    std::raise(SIGTERM);
  }
  EXPECT_EQ(interrupt_requested(), 0);
  EXPECT_NO_THROW(leave_if_interrupted());
}

TEST(Interrupt, WaitsForAPartThatMustNotBeLeft) {
  const InterruptGuard guard;
  {
    const InterruptHold part;
    std::raise(SIGTERM);
    EXPECT_NO_THROW(leave_if_interrupted());
    EXPECT_EQ(interrupt_requested(), SIGTERM);
  }
  EXPECT_THROW(leave_if_interrupted(), Interrupted);
}

TEST(Interrupt, AsksToBeRunAgain) { EXPECT_EQ(Interrupted("").exit_code(), ExitCode::kRunAgain); }

TEST(Interrupt, TheSecondOneEndsTheProcessAtOnce) {
  const pid_t child = ::fork();
  if (child == 0) {
    const InterruptGuard guard;
    std::raise(SIGINT);
    std::raise(SIGINT);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

}  // namespace
}  // namespace hone
