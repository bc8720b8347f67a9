#include <utility>

#include "base/error.h"
#include "datasets/formats.h"

namespace hone::datasets {

Record tokens_to_record(Row row) { return {RecordKind::kTokens, std::move(row)}; }

Row tokens_from_record(const Record& record, std::string&) {
  HONE_CHECK(DataError, record.kind == RecordKind::kTokens,
             "a {} record has no tokens; choose another format", name_of(record.kind));
  return record.value;
}

}  // namespace hone::datasets
