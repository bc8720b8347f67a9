#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "tokenizer/tokenizer.h"

namespace hone::cli {
namespace {

struct Arguments {
  std::string tokenizer, input;
  bool decode = false, no_special = false, skip_special = false;
};

using tokenizer::Tokenizer;

nlohmann::ordered_json encode_row(const Tokenizer& tokenizer, const PlacedRow& row,
                                  const RowSource& rows, bool add_special_tokens) {
  const std::string text = rows.text(row, "text");
  const tokenizer::Encoding encoding =
      tokenizer.encode(text, {.add_special_tokens = add_special_tokens});
  nlohmann::ordered_json offsets = nlohmann::ordered_json::array();
  for (const auto& [begin, end] : tokenizer::to_code_points(text, encoding.offsets))
    offsets.push_back({begin, end});
  return {{"ids", encoding.ids}, {"offsets", offsets}};
}

}  // namespace

Action declare_tokenize(CLI::App& command, const Common&) {
  auto a = std::make_shared<Arguments>();
  command
      .add_option("--tokenizer", a->tokenizer,
                  "Folder, tokenizer.json, tokenizer.model, .gguf file, or a name that tools/setup "
                  "installed")
      ->required();
  command.add_option("--input", a->input, "JSONL rows of `text`, or of `ids` (- for stdin)")
      ->required();
  command.add_flag("--no-special", a->no_special, "Add no BOS or EOS");
  command.add_flag("--decode", a->decode, "From `ids` to text");
  command.add_flag("--skip-special", a->skip_special, "Leave special tokens out of the text");
  return [a] {
    const Tokenizer tokenizer = Tokenizer::load(engine::resolve_model(a->tokenizer));
    RowSource rows(a->input);
    while (const auto row = rows.next()) {
      rows.at(*row, [&] {
        if (a->decode) {
          const auto ids = rows.ids(*row, "ids");
          const std::vector<std::int32_t> narrow(ids.begin(), ids.end());
          print_row({{"text", tokenizer.decode(narrow, a->skip_special)}});
        } else {
          print_row(encode_row(tokenizer, *row, rows, !a->no_special));
        }
      });
    }
    return ExitCode::kDone;
  };
}

}  // namespace hone::cli
