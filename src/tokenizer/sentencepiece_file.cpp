#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "io/input_file.h"
#include "io/utf8.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/sentencepiece_spec.h"

// A tokenizer.model is one protobuf message of which hone needs 16 fields. The wire format takes
// fewer lines than the library would take to build, and LibTorch carries a protobuf of its own that
// must not meet another one in the same program.
// @source protobuf.dev/programming-guides/encoding; sentencepiece src/sentencepiece_model.proto

namespace hone::tokenizer {
namespace {

enum class Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr std::int64_t kUnigramModel = 1, kBpeModel = 2;

// One field of a message: its number and what stands there.
struct Field {
  std::uint64_t number;
  Wire wire;
  std::uint64_t integer = 0;  // kVarint, and the bits of kFixed32
  std::string_view bytes;     // kBytes
  std::size_t offset;         // in the file
};

// Walks the fields of a message.
class MessageReader {
 public:
  MessageReader(const std::string& file, std::string_view message, std::size_t offset)
      : file_(file), message_(message), offset_(offset) {}

  bool at_end() const { return at_ == message_.size(); }

  Field next() {
    const std::size_t start = offset_ + at_;
    const std::uint64_t tag = varint();
    Field field{tag >> 3, static_cast<Wire>(tag & 7), 0, {}, start};
    switch (field.wire) {
      case Wire::kVarint:
        field.integer = varint();
        break;
      case Wire::kFixed64:
        fixed(8);
        break;
      case Wire::kBytes:
        field.bytes = fixed(varint());
        field.offset = offset_ + at_ - field.bytes.size();
        break;
      case Wire::kFixed32: {
        std::uint32_t bits = 0;
        std::memcpy(&bits, fixed(4).data(), 4);
        field.integer = bits;
        break;
      }
      default:
        refuse(start, fmt::format("wire type {}", tag & 7));
    }
    if (field.number == 0) refuse(start, "field number 0");
    return field;
  }

  [[noreturn]] void refuse(std::size_t offset, const std::string& found) const {
    throw DataError(
        fmt::format("{}: byte {}: found {}; this is not a SentencePiece model, or it is damaged. "
                    "Fetch it again.",
                    file_, offset, found));
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == message_.size()) refuse(offset_ + at_, "the end in the middle of a number");
      const auto byte = static_cast<unsigned char>(message_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    refuse(offset_ + at_, "a number of more than ten bytes");
  }

  std::string_view fixed(std::uint64_t size) {
    if (size > message_.size() - at_) {
      refuse(offset_ + at_,
             fmt::format("{} bytes where {} are expected", message_.size() - at_, size));
    }
    const std::string_view bytes = message_.substr(at_, size);
    at_ += size;
    return bytes;
  }

  const std::string& file_;
  std::string_view message_;
  std::size_t offset_, at_ = 0;
};

// Calls `visit(field, reader)` for each field of a message.
template <class Visit>
void read_message(const std::string& file, std::string_view message, std::size_t offset,
                  Visit visit) {
  for (MessageReader reader(file, message, offset); !reader.at_end();) visit(reader.next(), reader);
}

void require_wire(const Field& field, Wire wire, const MessageReader& reader) {
  if (field.wire != wire) {
    reader.refuse(field.offset, fmt::format("wire type {} of field {}",
                                            static_cast<int>(field.wire), field.number));
  }
}

bool boolean(const Field& field, const MessageReader& reader) {
  require_wire(field, Wire::kVarint, reader);
  return field.integer != 0;
}

// An id; the files say -1 for none.
std::optional<std::int32_t> optional_id(const Field& field, const MessageReader& reader) {
  require_wire(field, Wire::kVarint, reader);
  const auto id = static_cast<std::int64_t>(field.integer);
  if (id < 0) return std::nullopt;
  if (id > kMaxTokenId) reader.refuse(field.offset, fmt::format("token id {}", id));
  return static_cast<std::int32_t>(id);
}

SentencePiece read_piece(const std::string& file, const Field& message) {
  SentencePiece piece;
  read_message(file, message.bytes, message.offset, [&](const Field& field, auto& reader) {
    if (field.number == 1) {
      require_wire(field, Wire::kBytes, reader);
      piece.text = field.bytes;
      if (io::first_invalid_utf8(piece.text)) reader.refuse(field.offset, "text that is not UTF-8");
    } else if (field.number == 2) {
      require_wire(field, Wire::kFixed32, reader);
      const auto bits = static_cast<std::uint32_t>(field.integer);
      std::memcpy(&piece.score, &bits, sizeof bits);
    } else if (field.number == 3) {
      require_wire(field, Wire::kVarint, reader);
      if (field.integer < 1 || field.integer > 6) {
        reader.refuse(field.offset, fmt::format("piece type {}", field.integer));
      }
      piece.type = static_cast<PieceType>(field.integer);
    }
  });
  return piece;
}

void read_trainer_spec(const std::string& file, const Field& message, SentencePieceSpec& spec) {
  std::int64_t model_type = kUnigramModel;
  read_message(file, message.bytes, message.offset, [&](const Field& field, auto& reader) {
    switch (field.number) {
      case 3:
        require_wire(field, Wire::kVarint, reader);
        model_type = static_cast<std::int64_t>(field.integer);
        break;
      case 24:
        spec.treat_whitespace_as_suffix = boolean(field, reader);
        break;
      case 35:
        spec.byte_fallback = boolean(field, reader);
        break;
      case 40:
        spec.unk_id = optional_id(field, reader);
        break;
      case 41:
        spec.bos_id = optional_id(field, reader);
        break;
      case 42:
        spec.eos_id = optional_id(field, reader);
        break;
      case 43:
        spec.pad_id = optional_id(field, reader);
        break;
      default:
        break;
    }
  });
  HONE_CHECK(DataError, model_type == kUnigramModel || model_type == kBpeModel,
             "{}: a SentencePiece model of type {}; hone reads 1 (unigram) and 2 (BPE)", file,
             model_type);
  spec.kind =
      model_type == kBpeModel ? SentencePieceSpec::Kind::kBpe : SentencePieceSpec::Kind::kUnigram;
}

void read_normalizer_spec(const std::string& file, const Field& message, SentencePieceSpec& spec) {
  read_message(file, message.bytes, message.offset, [&](const Field& field, auto& reader) {
    if (field.number == 2) {
      require_wire(field, Wire::kBytes, reader);
      spec.charsmap = field.bytes;
    } else if (field.number == 3) {
      using Prefix = SentencePieceSpec::Prefix;
      spec.prefix = boolean(field, reader) ? Prefix::kAlways : Prefix::kNever;
    } else if (field.number == 4) {
      spec.remove_extra_whitespaces = boolean(field, reader);
    } else if (field.number == 5) {
      spec.escape_whitespaces = boolean(field, reader);
    }
  });
}

// What the file leaves open. The spec's ids may name pieces that training did not make; the type of
// a piece is what counts.
void settle(SentencePieceSpec& spec) {
  for (auto* id : {&spec.unk_id, &spec.bos_id, &spec.eos_id, &spec.pad_id}) {
    if (*id && **id >= std::ssize(spec.pieces)) id->reset();
  }
  for (std::size_t i = 0; i < spec.pieces.size(); ++i) {
    if (spec.pieces[i].type == PieceType::kUnknown) spec.unk_id = static_cast<std::int32_t>(i);
  }
  using Prefix = SentencePieceSpec::Prefix;
  const bool is_bpe = spec.kind == SentencePieceSpec::Kind::kBpe;
  // Where spaces are kept, one after a special token is the text's own.
  if (spec.prefix == Prefix::kAlways && !spec.remove_extra_whitespaces)
    spec.prefix = Prefix::kFirst;
  spec.add_bos = is_bpe;
  spec.add_eos = !is_bpe;
}

}  // namespace

SentencePieceSpec read_sentencepiece(const std::filesystem::path& path) {
  io::require_file(path, "a SentencePiece model");
  const std::string file = path.string();
  const std::string content = read_file(path);
  SentencePieceSpec spec;
  spec.unk_id = 0;
  spec.bos_id = 1;
  spec.eos_id = 2;
  read_message(file, content, 0, [&](const Field& field, auto& reader) {
    if (field.number > 3) return;
    require_wire(field, Wire::kBytes, reader);
    if (field.number == 1) spec.pieces.push_back(read_piece(file, field));
    if (field.number == 2) read_trainer_spec(file, field, spec);
    if (field.number == 3) read_normalizer_spec(file, field, spec);
  });
  HONE_CHECK(DataError, !spec.pieces.empty(),
             "{}: holds no pieces; this is not a SentencePiece model", file);
  settle(spec);
  return spec;
}

}  // namespace hone::tokenizer
