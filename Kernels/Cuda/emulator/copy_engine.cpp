#include "copy_engine.h"
#include <cstdlib>
#include <cstring>

namespace emulator {

namespace {
constexpr int Bf16 = 9, Swizzle128 = 3;
constexpr unsigned ChunkBytes = 16, SpanOfSwizzle = 128, PatternBytes = 1024;
constexpr long MostBytes = (1 << 20) - 1;

const EncodedMatrix& decoded(const TensorMap& map) { return *(const EncodedMatrix*)&map; }
}  // namespace

bool encode_matrix(TensorMap* map, int type, unsigned rank, const void* at, const uint64_t* sizes, const uint64_t* strides, const unsigned* box, const unsigned* elementStrides,
    int interleave, int swizzle, int promotion, int fill)
{
    static_assert(sizeof(EncodedMatrix) <= sizeof(TensorMap), "a tensor map has 128 bytes");
    constexpr unsigned ElementBytes = 2;
    const auto multiple = [](uint64_t value, unsigned of) { return value % of == 0; };
    if (!map || !multiple((uint64_t)map, alignof(TensorMap)) || type != Bf16 || rank != 2 || interleave != 0 || swizzle != Swizzle128 || promotion < 0 || promotion > 3 || fill != 0)
        return false;
    if (!at || !multiple((uint64_t)at, 16) || !multiple(strides[0], 16) || strides[0] >= 1ull << 40 || strides[0] < sizes[0] * ElementBytes)
        return false;
    for (unsigned i = 0; i < rank; i++)
        if (sizes[i] == 0 || sizes[i] > 1ull << 32 || box[i] == 0 || box[i] > 256 || elementStrides[i] != 1)
            return false;
    if (!multiple(box[0] * ElementBytes, ChunkBytes) || box[0] * ElementBytes > SpanOfSwizzle)
        return false;
    const EncodedMatrix matrix = {MarkOfMatrix, (const char*)at, sizes[0], sizes[1], strides[0], box[0], box[1], ElementBytes};
    memset(map, 0, sizeof *map);
    memcpy(map, &matrix, sizeof matrix);
    return true;
}

void CopyEngine::start_block(char* memory, size_t bytes)
{
    shared = memory;
    sharedBytes = bytes;
    barriers.clear();
    copies.clear();
    tiles.clear();
    finished.clear();
}

std::string CopyEngine::set_up(const Mbarrier* barrier, unsigned arrivals, int thread)
{
    const char* const at = (const char*)barrier;
    if (at < shared || at + sizeof *barrier > shared + sharedBytes || (size_t)(at - shared) % sizeof *barrier != 0)
        return "an mbarrier that is not 8 aligned bytes of shared memory";
    if (arrivals == 0 || exists(barrier))
        return "an mbarrier that waits for no arrivals, or is set up a second time";
    barriers[barrier] = {arrivals, arrivals, 0, 0, thread, false};
    return "";
}

void CopyEngine::make_visible(int thread)
{
    for (auto& [at, barrier] : barriers)
        barrier.visible |= barrier.thread == thread;
}

std::string CopyEngine::arrive(const Mbarrier* at, unsigned bytes)
{
    if (!exists(at))
        return "an arrival at an mbarrier that has not been set up";
    Barrier& barrier = barriers.at(at);
    if (barrier.pending == 0)
        return "more arrivals than the mbarrier counts, before its phase is over";
    barrier.bytes += bytes;
    barrier.pending--;
    return settle(at, barrier);
}

std::string CopyEngine::settle(const Mbarrier* at, Barrier& barrier)
{
    if (labs(barrier.bytes) > MostBytes)
        return "an mbarrier that waits for more bytes than it can count";
    if (barrier.pending > 0)
        return "";
    if (barrier.bytes < 0)
        return std::to_string(-barrier.bytes) + " bytes landed more than the mbarrier was told to expect";
    if (barrier.bytes == 0) {
        barrier.phase++;
        barrier.pending = barrier.arrivals;
        finished.push_back(at);
    }
    return "";
}

std::string CopyEngine::missing(const Mbarrier* at) const
{
    const Barrier& barrier = barriers.at(at);
    return std::to_string(barrier.pending) + " arrivals and " + std::to_string(barrier.bytes) + " bytes are missing at its mbarrier";
}

Range CopyEngine::range_of(const void* to, const TensorMap& map) const
{
    const EncodedMatrix& matrix = decoded(map);
    const unsigned first = DynamicSharedAddress + (unsigned)((const char*)to - shared);
    return {first, first + matrix.boxRows * matrix.boxColumns * matrix.elementBytes};
}

std::string CopyEngine::copy(void* to, const TensorMap& map, int column, int row, const Mbarrier* barrier, bool early, const char* file, int line)
{
    const EncodedMatrix& matrix = decoded(map);
    if (matrix.mark != MarkOfMatrix)
        return "a copy whose tensor map was not made by cuTensorMapEncodeTiled";
    if (!exists(barrier))
        return "a copy that tells an mbarrier that has not been set up";
    if (!barriers.at(barrier).visible)
        return "a copy that tells an mbarrier that was set up without a fence (fence_operands) after it";
    const Range range = range_of(to, map);
    if (range.first % PatternBytes != 0)
        return "a tile that does not begin at a multiple of 1024 bytes, where the pattern of the 128-byte swizzle does";
    if (range.first < DynamicSharedAddress || range.end > DynamicSharedAddress + sharedBytes)
        return "a tile that leaves shared memory";
    for (size_t i = tiles.size(); i-- > 0;)
        if (tiles[i].range.meets(range))
            tiles.erase(tiles.begin() + i);
    tiles.push_back({range, barrier, phase(barrier)});
    copies.push_back({matrix, (char*)to, column, row, barrier, file, line});
    if (!early)
        return "";
    const Copy last = copies.back();
    copies.pop_back();
    return land(last);
}

std::string CopyEngine::land_next()
{
    const Copy next = copies.front();
    copies.erase(copies.begin());
    return land(next);
}

// What lies outside the matrix arrives as zeros and counts like the rest.
std::string CopyEngine::land(const Copy& copy)
{
    const EncodedMatrix& m = copy.matrix;
    const unsigned lineBytes = m.boxColumns * m.elementBytes, start = (unsigned)(copy.to - shared);
    const int64_t before = copy.column < 0 ? -copy.column : 0, inside = (int64_t)m.columns - copy.column, end = inside < m.boxColumns ? inside : m.boxColumns;
    for (unsigned r = 0; r < m.boxRows; r++) {
        char line[SpanOfSwizzle] = {};
        const int64_t row = copy.row + (int64_t)r;
        if (row >= 0 && row < (int64_t)m.rows && before < end)
            memcpy(line + before * m.elementBytes, m.at + row * m.lineBytes + (copy.column + before) * m.elementBytes, (end - before) * m.elementBytes);
        for (unsigned byte = 0; byte < lineBytes; byte += ChunkBytes) {
            const unsigned address = swizzled(DynamicSharedAddress + start + r * lineBytes + byte);
            __builtin_memcpy(shared + address - DynamicSharedAddress, line + byte, ChunkBytes);
        }
    }
    Barrier& barrier = barriers.at(copy.barrier);
    barrier.bytes -= m.boxRows * lineBytes;
    return settle(copy.barrier, barrier);
}
}  // namespace emulator
