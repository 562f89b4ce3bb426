// What a stress test has found: a table for people and a list for programs.
#ifndef POE_TESTS_E2E_SOAK_REPORT_H_
#define POE_TESTS_E2E_SOAK_REPORT_H_

#include <string>

namespace poe::server {

// Whether the long form was asked for, by POE_SOAK=1. Only there do times
// decide: the short form runs beside other tests.
bool IsLongForm();

// Keeps a figure and whether it holds its bar, which it must if `decides`.
// All that was kept is printed when the program ends, and written to the file
// that POE_SOAK_JSON names, as a list of objects with case, figure, bar and
// held.
void Report(const std::string& name, double figure, const std::string& bar,
            bool held, bool decides);

}  // namespace poe::server

#endif  // POE_TESTS_E2E_SOAK_REPORT_H_
