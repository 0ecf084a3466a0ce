using VaeFromScratch.Kernels;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>The shapes that the papers' networks spend their time in.</summary>
internal static class NetworkShapes
{
    /// <summary>
    /// The 4x4 convolutions of stride 2 of papers 1 and 2: 28x28 images in batches of 100 and 512, 64x64 images in batches of 64. Each
    /// one's transpose is the
    /// decoder's layer at the same place: mnist1 read backwards is the last transposed convolution.
    /// </summary>
    public static IReadOnlyList<(string Name, ConvShape Shape)> Convolutions { get; } =
    [
        ("mnist1", new(100, 28, 28, 1, 32, 4, 4, 2, 1)),
        ("mnist2", new(100, 14, 14, 32, 32, 4, 4, 2, 1)),
        ("mnist1_b512", new(512, 28, 28, 1, 32, 4, 4, 2, 1)),
        ("mnist2_b512", new(512, 14, 14, 32, 32, 4, 4, 2, 1)),
        ("celeba1", new(64, 64, 64, 3, 32, 4, 4, 2, 1)),
        ("celeba2", new(64, 32, 32, 32, 32, 4, 4, 2, 1)),
        ("celeba3", new(64, 16, 16, 32, 64, 4, 4, 2, 1)),
        ("celeba4", new(64, 8, 8, 64, 64, 4, 4, 2, 1)),
    ];

    /// <summary>Further convolutions, of the CIFAR-10 networks of paper 4 (its tables 1 and 2).</summary>
    public static IReadOnlyList<(string Name, ConvShape Shape)> CifarConvolutions { get; } =
    [
        ("cifar 5x5/2", new(128, 32, 32, 3, 32, 5, 5, 2, 2)),
        ("cifar 3x3/2", new(128, 8, 8, 64, 128, 3, 3, 2, 1)),
        ("cifar 5x5/1", new(128, 4, 4, 256, 256, 5, 5, 1, 2)),
        ("cifar 3x3/1", new(128, 16, 16, 64, 64, 3, 3, 1, 1)),
        ("cifar 1x1/1", new(128, 32, 32, 3, 32, 1, 1, 1, 0)),
    ];

    /// <summary>M, K, N: square products, then the dense layers of the MLP and of the convolutional networks.</summary>
    public static IReadOnlyList<(int M, int K, int N)> Products { get; } =
    [
        (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
        (100, 784, 500), (100, 500, 1000), (100, 1568, 256), (512, 1568, 256), (100, 256, 1568), (1568, 100, 256),
    ];
}
