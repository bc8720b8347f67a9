#include "report/progress.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/log.h"

namespace hone::report {
namespace {

constexpr double kRedrawEveryS = 0.1;
constexpr double kLineEveryS = 10.0;
constexpr int kWidestBar = 30, kNarrowestBar = 8;

bool starts_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// Columns on a terminal: every character that stands here is one column wide.
int width_of(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(text, starts_code_point));
}

/// The first `columns` characters, never cut inside one.
std::string cut_to(std::string_view text, int columns) {
  std::size_t end = 0;
  for (int seen = 0; end < text.size(); ++end)
    if (starts_code_point(text[end]) && seen++ == columns) break;
  return std::string(text.substr(0, end));
}

std::string bar(double share, int width, bool unicode) {
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * width);
  std::string text;
  for (int i = 0; i < width; ++i)
    text += i < filled ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
  return text;
}

/// The pieces of a line in the order of their worth.
std::vector<std::string> pieces_of(const StepStatus& status, std::int64_t total_steps,
                                   std::optional<double> seconds_left) {
  std::vector<std::string> pieces = {fmt::format("step {}/{}", status.step, total_steps),
                                     fmt::format("loss {:.4f}", status.loss),
                                     fmt::format("lr {:.2e}", status.learning_rate),
                                     fmt::format("{:.0f} tokens/s", status.tokens_per_s)};
  if (seconds_left) pieces.push_back(format_duration(*seconds_left) + " left");
  return pieces;
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

int columns_of_stderr() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double steady_now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string format_duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e12)));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d{:02}h", s / 86400, s / 3600 % 24);
}

std::string format_line(const StepStatus& status, std::int64_t total_steps,
                        std::optional<double> seconds_left) {
  return fmt::format("{}", fmt::join(pieces_of(status, total_steps, seconds_left), "  "));
}

std::string format_status(const StepStatus& status, std::int64_t total_steps,
                          std::optional<double> seconds_left, int columns, bool unicode) {
  std::vector<std::string> pieces = pieces_of(status, total_steps, seconds_left);
  const auto joined = [&] { return fmt::format("{}", fmt::join(pieces, "  ")); };
  while (pieces.size() > 1 && width_of(joined()) > columns) pieces.pop_back();
  if (const int room = columns - width_of(joined()) - 2; total_steps > 0 && room >= kNarrowestBar) {
    const double share = static_cast<double>(status.step) / static_cast<double>(total_steps);
    pieces.insert(pieces.begin() + 1, bar(share, std::min(room, kWidestBar), unicode));
  }
  return cut_to(joined(), columns);
}

Screen terminal() {
  return {.is_interactive = log::is_interactive() && log::level() != log::Level::kQuiet,
          .unicode = locale_is_utf8(),
          .columns = columns_of_stderr,
          .set_status = log::set_status_line,
          .write_line = [](std::string_view line) { log::info("{}", line); },
          .now_s = steady_now_s};
}

Progress::Progress(std::int64_t total_steps, Screen screen)
    : total_steps_(total_steps), screen_(std::move(screen)) {}

Progress::~Progress() {
  if (screen_.is_interactive) screen_.set_status("");
}

void Progress::update(const StepStatus& status) {
  const double now_s = screen_.now_s();
  const bool is_first = !first_.has_value();
  if (is_first) {
    first_ = status;
    first_s_ = now_s;
  }
  last_ = status;
  const double interval_s = screen_.is_interactive ? kRedrawEveryS : kLineEveryS;
  const bool is_last = status.step >= total_steps_;
  if (!is_first && !is_last && now_s - shown_s_ < interval_s) return;
  shown_s_ = now_s;
  if (!screen_.is_interactive) return write_line();
  // One column stays free: in the last one, some terminals wrap.
  screen_.set_status(
      format_status(status, total_steps_, seconds_left(), screen_.columns() - 1, screen_.unicode));
}

void Progress::finish() {
  if (screen_.is_interactive) screen_.set_status("");
  if (last_ && written_step_ != last_->step) write_line();
}

void Progress::write_line() {
  screen_.write_line(format_line(*last_, total_steps_, seconds_left()));
  written_step_ = last_->step;
}

std::optional<double> Progress::seconds_left() const {
  const std::int64_t left = total_steps_ - last_->step, steps = last_->step - first_->step;
  if (left <= 0 || steps <= 0) return std::nullopt;
  return (screen_.now_s() - first_s_) / static_cast<double>(steps) * static_cast<double>(left);
}

}  // namespace hone::report
