// What the driver stand-in and the native tests use of the emulator.
#pragma once
#include "emulator.h"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#include <string>

namespace emulator {

enum class Order { Forward, Reverse, Random };

// threads: OS threads that blocks are spread over, 0 for one per processor.
void configure(Order order, int threads, unsigned seed);
Order order();
unsigned seed();
Kernel* find(const char* name);
Kernel* first_kernel();
// Runs every block; false when the kernel broke a rule of the execution model, with the reason in last_error(). Kernels run one after the other, but in one that is launched to
// overlap with the kernel before it every thread must call AFTER_EARLIER_KERNELS.
bool launch(Kernel* kernel, dim3 grid, dim3 block, size_t dynamicShared, void** arguments, bool overlaps);
// For a rule that is broken outside of launch().
void set_error(const std::string& what);
const std::string& last_error();
// Every place where threads have met so far.
Site* sites();
}  // namespace emulator
