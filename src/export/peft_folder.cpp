#include "export/peft_folder.h"

#include "base/error.h"
#include "export/text_files.h"
#include "kernels/packed/packed.h"
#include "model/load.h"
#include "model/shards.h"
#include "model/weights.h"
#include "quant/quantize.h"

namespace hone::exporting {
namespace {

using torch::Tensor;

std::string_view type_of(const Job& job) {
  if (!job.options.type.empty()) return job.options.type;
  return job.adapter != nullptr ? kPeftTypes.front() : kHuggingFaceTypes.front();
}

quant::Format packing_of(std::string_view type) {
  if (type == "nf4") return quant::Format::kNf4;
  return type == "int8" ? quant::Format::kInt8 : quant::Format::kNone;
}

/// What is not packed is kept in bf16 then.
torch::Dtype dtype_of(std::string_view type) {
  if (type == "f32") return torch::kFloat32;
  return type == "f16" ? torch::kFloat16 : torch::kBFloat16;
}

void convert(adapters::Tensors& tensors, torch::Dtype dtype) {
  for (auto& [name, tensor] : tensors) tensor = tensor.to(dtype);
}

adapters::Adapter converted(adapters::Adapter adapter, torch::Dtype dtype) {
  for (adapters::AdaptedModule& module : adapter.modules) convert(module.tensors, dtype);
  for (adapters::Tensors* tensors : {&adapter.shared, &adapter.virtual_tensors})
    convert(*tensors, dtype);
  for (adapters::Replacement& one : adapter.replaced) one.tensor = one.tensor.to(dtype);
  for (adapters::TokenRows& tokens : adapter.token_rows) tokens.rows = tokens.rows.to(dtype);
  return adapter;
}

/// The model with its layers packed, those of a base that is packed in another way anew, and
/// nothing else changed. The job's own keeps its numbers.
model::Decoder packed(const model::Decoder& decoder, quant::Format format) {
  model::Decoder result = decoder;
  const quant::Recipe recipe = {.format = format};
  model::for_each_linear(result, [&](model::Linear& linear) {
    if (linear.packed != nullptr &&
        quant::describe(quant::recipe_of(*linear.packed)) == quant::describe(recipe))
      return;
    linear.packed = std::make_shared<kernels::PackedMatrix>(
        quant::quantize(model::dense_weight(linear, torch::kFloat32), recipe));
    linear.weight = Tensor();
  });
  return result;
}

void write_model(const Job& job) {
  const std::string_view type = type_of(job);
  const quant::Format format = packing_of(type);
  model::Decoder decoder =
      format == quant::Format::kNone ? job.decoder : packed(job.decoder, format);
  if (format == quant::Format::kNone) {
    // A base that is packed in its own files is written as the type says.
    model::for_each_linear(decoder, [](model::Linear& linear) {
      if (linear.packed == nullptr) return;
      linear.weight = model::dense_weight(linear, torch::kFloat32);
      linear.packed.reset();
    });
  }
  model::save_sharded(decoder, job.folder, job.base, dtype_of(type),
                      job.options.max_shard_size_bytes);
}

}  // namespace

void write_adapter_or_model(const Job& job) {
  const torch::NoGradGuard no_grad;
  if (job.adapter != nullptr)
    adapters::save_adapter(converted(*job.adapter, dtype_of(type_of(job))), job.folder,
                           job.base_name);
  else
    write_model(job);
  write_text_files(job);
}

ReadBack read_adapter_or_model(const Job& job) {
  const torch::NoGradGuard no_grad;
  const std::filesystem::path tokenizer = job.tokenizer.empty() ? "" : job.folder;
  if (job.adapter == nullptr) return {model::load_decoder(job.folder, {}), tokenizer};
  model::Decoder decoder = job.decoder;
  adapters::Adapter adapter = adapters::load_adapter(job.folder, decoder);
  adapters::attach(adapter, decoder);
  return {std::move(decoder), tokenizer};
}

std::int64_t hugging_face_bytes(model::Decoder& decoder, std::string_view type) {
  const double per_number = type == "nf4" ? 0.516 : type == "int8" ? 1 : type == "f32" ? 4 : 2;
  const bool packs = packing_of(type) != quant::Format::kNone;
  double bytes = 0;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    double numbers = 1;
    for (const std::int64_t size : slot.shape) numbers *= double(size);
    const bool is_packed = packs && slot.linear != nullptr;
    bytes += numbers * (is_packed || !packs ? per_number : 2);
    if (is_packed && type == "int8") bytes += 4 * double(slot.shape.front());
  }
  return static_cast<std::int64_t>(bytes);
}

const Target kPeftTarget = {
    .name = "peft",
    .help = "a folder that PEFT loads onto the base",
    .takes_adapter = true,
    .takes_merged = false,
    .adapter_types = kPeftTypes,
    .merged_types = {},
    .rules = {},
    .write = write_adapter_or_model,
    .read_back = read_adapter_or_model,
    .serve_adapter =
        "model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("
        "\"{base}\"), \"{folder}\")",
};

const Target kHuggingFaceTarget = {
    .name = "hf",
    .help = "a model with the adapter merged, as transformers loads it",
    .takes_adapter = false,
    .takes_merged = true,
    .has_shards = true,
    .adapter_types = {},
    .merged_types = kHuggingFaceTypes,
    .rules = {},
    .write = write_adapter_or_model,
    .read_back = read_adapter_or_model,
    .merged_bytes = hugging_face_bytes,
    .serve_model = "model = AutoModelForCausalLM.from_pretrained(\"{folder}\")",
};

}  // namespace hone::exporting
