// What the driver stand-in and the native checks use of the emulator.
#pragma once
#include "emulator.h"
#undef threadIdx
#undef blockIdx
#undef gridDim
#include <string>

namespace emulator {

enum class Order { Forward, Reverse, Random };

// The order of threads and blocks. threads: OS threads that blocks are spread over, 0 for one per processor.
void configure(Order order, int threads, unsigned seed);
Kernel* find(const char* name);
// Runs every block; false when the kernel broke a rule of the execution model, with the reason in last_error().
bool launch(Kernel* kernel, dim3 grid, unsigned threads, size_t dynamicShared, void** arguments);
const std::string& last_error();
// Every place where threads have met so far.
Site* sites();
}  // namespace emulator
