namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>A product that every thread works on. It says what working memory it needs, is given it, and then runs.</summary>
internal unsafe interface IProductJob : IJob
{
    /// <summary>Floats that all threads share.</summary>
    long SharedFloats { get; }

    /// <summary>Floats of each thread's own.</summary>
    long ThreadFloats { get; }

    /// <param name="team">Who meets at barriers; null where one thread does it all.</param>
    void Place(float* shared, float* threads, ThreadTeam? team);
}
