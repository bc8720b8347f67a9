#include "io/parquet_rows.h"

#include <dlfcn.h>

#include "base/log.h"
#include "base/plugin.h"
#include "io/input_file.h"
#include "io/parquet/library.h"

namespace hone::io {
namespace {

OpenParquet load_library() {
  constexpr const char* kName = "libhone_parquet.so";
  void* const library = open_plugin(
      kName, RTLD_NOW | RTLD_LOCAL,
      "Parquet files are read by it: build with HONE_PARQUET=ON (tools/setup brings Arrow), or "
      "write the rows as JSONL.");
  return reinterpret_cast<OpenParquet>(plugin_symbol(library, kName, kOpenParquetSymbol));
}

}  // namespace

std::unique_ptr<RowReader> open_parquet_rows(const std::filesystem::path& path) {
  require_file(path, "a Parquet file");
  static const OpenParquet open = load_library();
  std::vector<std::string> passed_over;
  std::unique_ptr<RowReader> rows(open(path, passed_over));
  for (const std::string& column : passed_over)
    log::info("{}: column {} is passed over: it has no JSON form", path.string(), column);
  return rows;
}

}  // namespace hone::io
