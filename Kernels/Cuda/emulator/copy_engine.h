// Hopper's copy engine (TMA) and the barriers (mbarrier) that tell when its copies have landed: their state for one block. The scheduler asks, and ends the launch with the
// sentence that comes back where a rule was broken.
#pragma once
#include "emulator.h"
#include <map>
#include <string>

namespace emulator {

// What the stand-in for the driver writes into a tensor map: a matrix in memory and the box of it that one copy brings, in elements.
struct EncodedMatrix {
    uint64_t mark;
    const char* at;
    uint64_t columns, rows, lineBytes;
    unsigned boxColumns, boxRows, elementBytes;
};

constexpr uint64_t MarkOfMatrix = 0x7865697274616d2e;

// False where the driver would refuse it, or where the emulator does not know it: other matrices than of bf16 with 128-byte swizzle.
bool encode_matrix(TensorMap* map, int type, unsigned rank, const void* at, const uint64_t* sizes, const uint64_t* strides, const unsigned* box, const unsigned* elementStrides,
    int interleave, int swizzle, int promotion, int fill);

class CopyEngine {
public:
    void start_block(char* shared, size_t sharedBytes);

    std::string set_up(const Mbarrier* barrier, unsigned arrivals, int thread);
    // What this thread has set up is visible to the copy engine from here on.
    void make_visible(int thread);
    std::string arrive(const Mbarrier* barrier, unsigned bytes);
    // Lands at once where `early`, else when land_next is called.
    std::string copy(void* to, const TensorMap& map, int column, int row, const Mbarrier* barrier, bool early, const char* file, int line);

    bool has_copies() const { return !copies.empty(); }
    std::string land_next();
    // The place in the source of a copy that is on its way.
    const char* file_of_next() const { return copies.front().file; }
    int line_of_next() const { return copies.front().line; }

    bool exists(const Mbarrier* barrier) const { return barriers.count(barrier) != 0; }
    // Counts the finished phases of a barrier.
    unsigned phase(const Mbarrier* barrier) const { return barriers.at(barrier).phase; }
    bool has_finished(const Mbarrier* barrier, unsigned parity) const { return (phase(barrier) & 1) != (parity & 1); }
    std::string missing(const Mbarrier* barrier) const;
    // Barriers that have finished a phase since this was last cleared.
    std::vector<const Mbarrier*> finished;

    // A part of shared memory that a copy fills, and the phase of the barrier that says when.
    struct Tile {
        Range range;
        const Mbarrier* barrier;
        unsigned phase;
    };
    std::vector<Tile> tiles;

    Range range_of(const void* to, const TensorMap& map) const;

private:
    struct Barrier {
        unsigned arrivals, pending, phase;
        long bytes;
        int thread;
        bool visible;
    };
    struct Copy {
        EncodedMatrix matrix;
        char* to;
        int column, row;
        const Mbarrier* barrier;
        const char* file;
        int line;
    };

    std::string land(const Copy& copy);
    std::string settle(const Mbarrier* at, Barrier& barrier);

    char* shared = nullptr;
    size_t sharedBytes = 0;
    std::map<const Mbarrier*, Barrier> barriers;
    std::vector<Copy> copies;
};
}  // namespace emulator
