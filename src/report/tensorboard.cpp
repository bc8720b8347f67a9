#include "report/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <variant>

#include "base/error.h"

namespace hone::report {
namespace {

// A protocol buffer's fields: a key, which is the field's number and how its value is written, and
// the value.
enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_key(std::string& out, std::uint32_t field, Wire wire) {
  put_varint(out, (field << 3) | wire);
}

template <class Word>
void put_word(std::string& out, Word word) {
  for (std::size_t i = 0; i < sizeof word; ++i) out.push_back(static_cast<char>(word >> (8 * i)));
}

void put_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  put_key(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Event {double wall_time = 1; int64 step = 2; …}, up to the field that says what happened.
std::string event_at(std::int64_t step) {
  std::string event;
  put_key(event, 1, kFixed64);
  put_word(event, std::bit_cast<std::uint64_t>(seconds_since_epoch()));
  put_key(event, 2, kVarint);
  put_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

/// Event.file_version = 3.
std::string version_event() {
  std::string event = event_at(0);
  put_bytes(event, 3, "brain.Event:2");
  return event;
}

/// Event.session_log = 7 {status = 1: START}: what came at this step or later is no more.
std::string start_event(std::int64_t step) {
  std::string status;
  put_key(status, 1, kVarint);
  put_varint(status, 1);
  std::string event = event_at(step);
  put_bytes(event, 7, status);
  return event;
}

/// Event.summary = 5 {repeated Value value = 1 {string tag = 1; float simple_value = 2}}.
std::string scalars_event(std::int64_t step, const Metrics& metrics) {
  std::string summary;
  for (const auto& [name, number] : metrics) {
    const double value = std::visit([](auto v) { return static_cast<double>(v); }, number);
    std::string scalar;
    put_bytes(scalar, 1, name);
    put_key(scalar, 2, kFixed32);
    put_word(scalar, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
    put_bytes(summary, 1, scalar);
  }
  std::string event = event_at(step);
  put_bytes(event, 5, summary);
  return event;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0u);
    table[byte] = crc;
  }
  return table;
}

/// A checksum of bytes that hold checksums is a poor one; so it is turned and moved.
std::uint32_t masked_crc(std::string_view data) {
  return std::rotr(crc32c(data), 15) + 0xA282EAD8u;
}

/// TensorBoard sorts a run's files by name, so by the time in it.
std::string file_name(const std::filesystem::path& folder) {
  const auto now = static_cast<std::int64_t>(seconds_since_epoch());
  for (int number = 0;; ++number) {
    const std::string name =
        fmt::format("events.out.tfevents.{:010}.hone.{}.{}", now, ::getpid(), number);
    if (!std::filesystem::exists(folder / name)) return name;
  }
}

std::filesystem::path new_file(const std::filesystem::path& folder) {
  make_folder(folder);
  return folder / file_name(folder);
}

}  // namespace

std::uint32_t crc32c(std::string_view data) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc_table();
  std::uint32_t crc = ~0u;
  for (const char byte : data)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~crc;
}

std::string tensorboard_record(std::string_view data) {
  std::string record;
  put_word(record, static_cast<std::uint64_t>(data.size()));
  put_word(record, masked_crc(record));
  record += data;
  put_word(record, masked_crc(data));
  return record;
}

TensorBoardLog::TensorBoardLog(const std::filesystem::path& folder, std::int64_t last_step)
    : file_(new_file(folder), 0) {
  write(version_event());
  if (last_step > 0) write(start_event(last_step + 1));
}

void TensorBoardLog::append(std::int64_t step, const Metrics& metrics) {
  if (!metrics.empty()) write(scalars_event(step, metrics));
}

void TensorBoardLog::write(std::string_view event) {
  file_.append_bytes(tensorboard_record(event));
}

}  // namespace hone::report
