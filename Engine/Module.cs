namespace VaeFromScratch.Engine;

/// <summary>A part of a network: a function of tensors with parameters.</summary>
public abstract class Module
{
    /// <summary>This module's parameters and its parts', in order of construction.</summary>
    public abstract IEnumerable<Parameter> Parameters { get; }

    public abstract Tensor Forward(Tensor x);
}
