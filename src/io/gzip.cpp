#include <zlib.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "io/byte_source.h"

namespace hone::io {
namespace {

constexpr std::size_t kPackedBytes = std::size_t{64} << 10;
constexpr int kGzipOnly = 16 + MAX_WBITS;

class GzipBytes final : public ByteSource {
 public:
  GzipBytes(std::unique_ptr<ByteSource> packed, std::string name)
      : packed_(std::move(packed)), name_(std::move(name)), buffer_(kPackedBytes) {
    HONE_ASSERT(inflateInit2(&stream_, kGzipOnly) == Z_OK);
  }
  ~GzipBytes() override { inflateEnd(&stream_); }
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;

 private:
  std::size_t fetch(char* buffer, std::size_t size_bytes) override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(size_bytes);
    for (;;) {
      // Output may be held back from before, so this comes first even where no input is left.
      if (in_member_ || stream_.avail_in > 0) unpack();
      if (stream_.avail_out < size_bytes) break;
      if (stream_.avail_in == 0 && !refill()) return 0;
    }
    const std::size_t given = size_bytes - stream_.avail_out;
    unpacked_bytes_ += given;
    return given;
  }

  /// False at the end of the file, which has to be the end of a member.
  bool refill() {
    const std::size_t n = packed_->read(buffer_.data(), buffer_.size());
    HONE_CHECK(
        DataError, n > 0 || !in_member_,
        "{}: the gzip file is cut short: it ends at byte {}, within the packed data ({} bytes "
        "were unpacked). Copy or download it again",
        name_, packed_bytes_, unpacked_bytes_);
    packed_bytes_ += n;
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_in = static_cast<uInt>(n);
    return n > 0;
  }

  void unpack() {
    in_member_ = true;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {  // another member may follow
      in_member_ = false;
      HONE_ASSERT(inflateReset(&stream_) == Z_OK);
      return;
    }
    HONE_CHECK(DataError, status == Z_OK || status == Z_BUF_ERROR,
               "{}: the gzip file is damaged near byte {}: {}. Copy or download it again", name_,
               packed_bytes_ - stream_.avail_in, stream_.msg ? stream_.msg : "unknown reason");
  }

  std::unique_ptr<ByteSource> packed_;
  std::string name_;
  std::vector<char> buffer_;
  z_stream stream_{};
  bool in_member_ = true;  // an empty file is cut short as well
  std::size_t packed_bytes_ = 0, unpacked_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> unpack_gzip(std::unique_ptr<ByteSource> packed, std::string name) {
  return std::make_unique<GzipBytes>(std::move(packed), std::move(name));
}

bool is_gzip(std::string_view head) { return head.starts_with("\x1f\x8b"); }

}  // namespace hone::io
