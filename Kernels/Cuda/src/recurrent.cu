// The cell of a long short-term memory: everything between two matrix products. gates [rows, 4 h] before their activations, in the order i, f, g, o; states [rows, h].
//   lstm_cell           28 rows h bytes, about 130 operations an element (five exponentials)
//   lstm_cell_gradient  52 rows h bytes, about 150 operations: the activations are made again, which costs less than storing 16 bytes an element
// Ladder: 11 launches a step (slices, activations, products, sums; about 150 bytes an element forward) -> one launch (this version).
#include "reduce.cuh"

struct Gates {
    float input, forget, candidate, output;
    DEVICE_MEMBER Gates(const float* row, unsigned h, unsigned i)
        : input(sigmoid_f(row[i])), forget(sigmoid_f(row[h + i])), candidate(tanh_f(row[2 * h + i])), output(sigmoid_f(row[3 * h + i])) {}
};

// before may be absent: then the cell was 0.
KERNEL __launch_bounds__(256) lstm_cell(unsigned count, Divider h, const float* __restrict__ gates, const float* __restrict__ before, float* __restrict__ c, float* __restrict__ hidden)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(at, count) {
        const unsigned row = h.divide(at);
        const Gates gate(gates + (size_t)row * 4 * h.divisor, h.divisor, at - row * h.divisor);
        float state = gate.input * gate.candidate;
        if (before)
            state = fmaf(gate.forget, before[at], state);
        c[at] = state;
        hidden[at] = gate.output * tanh_f(state);
    }
}
EXPORT(lstm_cell)

// gc may be absent; dbefore may be gc, and is absent where before is.
KERNEL __launch_bounds__(256) lstm_cell_gradient(unsigned count, Divider h, const float* __restrict__ ghidden, const float* gc, const float* __restrict__ gates, const float* __restrict__ before, const float* __restrict__ c, float* __restrict__ dgates, float* dbefore)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(at, count) {
        const unsigned row = h.divide(at), i = at - row * h.divisor;
        const Gates gate(gates + (size_t)row * 4 * h.divisor, h.divisor, i);
        const float g = ghidden[at], t = tanh_f(c[at]);
        const float to_state = fmaf(g * gate.output, 1.0f - t * t, gc ? gc[at] : 0.0f), old = before ? before[at] : 0.0f;
        float* const to = dgates + (size_t)row * 4 * h.divisor + i;
        to[0] = to_state * gate.candidate * (gate.input * (1.0f - gate.input));
        to[h.divisor] = to_state * old * (gate.forget * (1.0f - gate.forget));
        to[2 * h.divisor] = to_state * gate.input * (1.0f - gate.candidate * gate.candidate);
        to[3 * h.divisor] = g * t * (gate.output * (1.0f - gate.output));
        if (before)
            dbefore[at] = to_state * gate.forget;
    }
}
EXPORT(lstm_cell_gradient)
