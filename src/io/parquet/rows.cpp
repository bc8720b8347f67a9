// What hone finds when it opens libhone_parquet.so.
#include <arrow/record_batch.h>
#include <arrow/util/utf8.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include <utility>

#include "base/error.h"
#include "io/parquet/library.h"
#include "io/parquet/to_json.h"

namespace hone::io {
namespace {

constexpr std::int64_t kBatchRows = 256;

class ParquetRows final : public RowReader {
 public:
  ParquetRows(const std::filesystem::path& path, std::vector<std::string>& passed_over)
      : name_(path.string()) {
    parquet::arrow::FileReaderBuilder builder;
    check(builder.OpenFile(name_, /*memory_map=*/true));
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_batch_size(kBatchRows);
    properties.set_pre_buffer(false);
    builder.properties(properties);
    check(builder.Build(&file_));
    auto batches = file_->GetRecordBatchReader();
    check(batches.status());
    batches_ = std::move(batches).ValueUnsafe();
    choose_columns(*batches_->schema(), passed_over);
  }

  bool next(RawRow& row) override {
    while (batch_ == nullptr || row_ == batch_->num_rows()) {
      check(batches_->ReadNext(&batch_));
      row_ = 0;
      if (batch_ == nullptr) return false;
    }
    row.number = ++rows_;
    row.line.clear();
    row.value = nlohmann::ordered_json::object();
    for (const int column : columns_) {
      try {
        nlohmann::ordered_json value = to_json(*batch_->column(column), row_);
        if (!value.is_null()) row.value[batch_->column_name(column)] = std::move(value);
      } catch (const DataError& error) {
        throw DataError(fmt::format("{}: column \"{}\": {}", where(row.number),
                                    batch_->column_name(column), error.what()));
      }
    }
    ++row_;
    return true;
  }

  nlohmann::ordered_json parse(RawRow&& row) const override { return std::move(row.value); }
  std::string where(std::int64_t number) const override {
    return fmt::format("{}, row {}", name_, number);
  }
  const std::string& name() const override { return name_; }

 private:
  void check(const arrow::Status& status) const {
    HONE_CHECK(DataError, status.ok(),
               "{}: the Parquet file is damaged or cut short: {}. Copy or download it again", name_,
               status.message());
  }

  void choose_columns(const arrow::Schema& schema, std::vector<std::string>& passed_over) {
    for (int i = 0; i < schema.num_fields(); ++i) {
      const arrow::Field& field = *schema.field(i);
      if (has_json_form(*field.type())) {
        columns_.push_back(i);
      } else {
        passed_over.push_back(fmt::format("\"{}\" ({})", field.name(), field.type()->ToString()));
      }
    }
  }

  std::string name_;
  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::vector<int> columns_;
  std::int64_t row_ = 0, rows_ = 0;  // in the batch, in the file
};

}  // namespace
}  // namespace hone::io

extern "C" __attribute__((visibility("default"))) hone::io::RowReader* hone_open_parquet(
    const std::filesystem::path& path, std::vector<std::string>& passed_over) {
  try {
    arrow::util::InitializeUTF8();
    return new hone::io::ParquetRows(path, passed_over);
  } catch (const parquet::ParquetException& error) {
    throw hone::DataError(
        fmt::format("{}: not a Parquet file that can be read: {}", path.string(), error.what()));
  }
}
