namespace VaeFromScratch;

/// <summary>What is applied to a matrix product's or convolution's output before it is stored.</summary>
public enum Activation { None, Relu }
