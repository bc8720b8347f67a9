// What llama.cpp itself does with hone's exports. Built by llama_cpp_export.py against the pinned
// llama.cpp, through its C API:
//
//   llama_export generate MODEL ADAPTER|- COUNT   rows of ids from stdin, one row a line; prints
//   the
//                                                 ids that it chooses greedily after each, at most
//                                                 COUNT, up to a token that ends generation
//   llama_export quantize MODEL OUT FILE_TYPE     what llama-quantize makes of a file
//   llama_export tokenize MODEL                   texts from stdin, one JSON-free line each; prints
//                                                 their ids

#include <llama.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Ids = std::vector<llama_token>;

void print(const Ids& ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) std::printf("%s%d", i == 0 ? "" : " ", ids[i]);
  std::printf("\n");
  std::fflush(stdout);
}

llama_token likeliest(llama_context* context, int vocabulary) {
  const float* logits = llama_get_logits_ith(context, -1);
  return static_cast<llama_token>(std::max_element(logits, logits + vocabulary) - logits);
}

bool continue_row(llama_context* context, const llama_vocab* vocab, Ids row, int count) {
  llama_memory_clear(llama_get_memory(context), true);
  Ids answer, next = std::move(row);
  while (static_cast<int>(answer.size()) < count) {
    if (llama_decode(context, llama_batch_get_one(next.data(), static_cast<int>(next.size()))) != 0)
      return false;
    const llama_token token = likeliest(context, llama_vocab_n_tokens(vocab));
    if (llama_vocab_is_eog(vocab, token)) break;
    answer.push_back(token);
    next = {token};
  }
  print(answer);
  return true;
}

/// Keys and values in f32 and no fused attention, as hone computes.
llama_context* open_context(llama_model* model) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = 1024;
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  return llama_init_from_model(model, params);
}

int generate(llama_model* model, const std::string& adapter, int count) {
  llama_context* context = open_context(model);
  if (context == nullptr) return 1;
  if (adapter != "-") {
    llama_adapter_lora* lora = llama_adapter_lora_init(model, adapter.c_str());
    float scale = 1;
    if (lora == nullptr || llama_set_adapters_lora(context, &lora, 1, &scale) != 0) return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    Ids row;
    for (llama_token id; words >> id;) row.push_back(id);
    if (!continue_row(context, llama_model_get_vocab(model), row, count)) return 1;
  }
  return 0;
}

int tokenize(llama_model* model) {
  const llama_vocab* vocab = llama_model_get_vocab(model);
  for (std::string line; std::getline(std::cin, line);) {
    Ids ids(line.size() + 8);
    const int found = llama_tokenize(vocab, line.data(), static_cast<int>(line.size()), ids.data(),
                                     static_cast<int>(ids.size()), false, true);
    if (found < 0) return 1;
    ids.resize(static_cast<std::size_t>(found));
    print(ids);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string verb = argv[1];
  llama_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
      },
      nullptr);
  llama_backend_init();
  if (verb == "quantize" && argc == 5) {
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = static_cast<llama_ftype>(std::atoi(argv[4]));
    params.nthread = 1;
    return llama_model_quantize(argv[2], argv[3], &params) == 0 ? 0 : 1;
  }
  llama_model_params params = llama_model_default_params();
  params.vocab_only = verb == "tokenize";
  llama_model* model = llama_model_load_from_file(argv[2], params);
  if (model == nullptr) return 1;
  if (verb == "tokenize") return tokenize(model);
  return verb == "generate" && argc == 5 ? generate(model, argv[3], std::atoi(argv[4])) : 2;
}
