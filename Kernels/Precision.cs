namespace VaeFromScratch.Kernels;

/// <summary>How matrix products and convolutions multiply; sums are in float32 always.</summary>
public enum Precision
{
    /// <summary>Products in float32 throughout.</summary>
    Fp32,
    /// <summary>Operands rounded to 10 bits of mantissa. Needs an NVIDIA GPU of compute capability 8.0.</summary>
    Tf32,
    /// <summary>Operands rounded to 7 bits of mantissa (8 with the leading one). Needs an NVIDIA GPU of compute capability 8.0.</summary>
    Bf16,
}
