# cmake -DSOURCE=folder -DHEADER=file -P WriteCommit.cmake
# Writes the commit that a source folder is at, "-dirty" behind it where files differ from it, into a
# header; "unknown" where git cannot tell. The header is left alone where it says so already.
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=*
  WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE status ERROR_QUIET)
if(NOT status EQUAL 0)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT "${HEADER}" CONTENT "#define HONE_COMMIT \"@commit@\"\n" @ONLY)
