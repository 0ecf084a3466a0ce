using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// The ends of a VAE, convolutions whose image has one to four channels, in the directions in which a tile would waste its columns or rows;
/// forward, it wastes nothing.
/// </summary>
/// <remarks>
/// Bytes a pixel of y with 32 channels under a 4 x 4 kernel of stride 2 and an image of one channel: 128 for y, 16 for the image.
/// Backward-data: a tile would have 1 of 64 columns. Instead P [pixels of y, taps] = dy w^T, a product of which a tile uses 16 columns,
/// then each entry of dx adds up its at most (kernel / stride)^2 places of P: 64 bytes written and read, within a large card's cache.
/// Backward-weight: a tile would have 16 of 64 rows and 32 of 64 columns, eight times the work. Instead a thread has 4 taps by 4 channels
/// of dw for every so-manieth pixel, eight loads to 16 multiply-adds; neighbouring threads have the other channels of the same pixel, so
/// that dy is read once and in order.
/// </remarks>
internal sealed partial class GpuBackend
{
    private const int FewChannels = 4;
    private static readonly (ProductKernel, string) InFewChannels = (ProductKernel.FewChannels, "few channels");

    /// <summary>Floats of P at a time: what stays in the cache of a large card.</summary>
    private const int MostProducts = 1 << 23;

    /// <summary>Pixels that a thread of backward-weight has at least: fewer would not pay for adding the threads' sums.</summary>
    private const int PixelsPerThread = 16;

    private void BackwardDataFew(ConvShape shape, Slice<float> dy, Slice<float> w, in Epilogue epilogue)
    {
        int taps = shape.KernelHeight * shape.KernelWidth * shape.InChannels, depth = shape.OutChannels;
        int pixels = shape.OutHeight * shape.OutWidth, image = shape.Height * shape.Width * shape.InChannels;
        int most = Math.Max(1, Math.Min(shape.Batch, MostProducts / Math.Max(1, pixels * taps)));
        var products = workspace.Room<float>(most * pixels * taps);
        for (int first = 0; first < shape.Batch; first += most)
        {
            int images = Math.Min(most, shape.Batch - first), m = images * pixels;
            var part = dy.Part(first * pixels * depth, m * depth);
            var into = new Epilogue(products, products, products, taps, 0);
            Multiply<PlainRows, Along, Along>(new(new(View(part), m, depth), new(View(w), taps, depth), into, m, taps, depth),
                mostParts: 1);
            lastProduct = InFewChannels;
            Each<GatherTaps, GatherTapsArguments>(images * image, new(products, epilogue, ConvGeometry.Of(shape), first * image));
        }
    }

    private void BackwardWeightFew(ConvShape shape, Slice<float> x, Slice<float> dy, in Epilogue epilogue)
    {
        int pixels = shape.Batch * shape.OutHeight * shape.OutWidth, items = FewItems(shape), slices = Threads.PerGroup / items;
        int parts = Math.Clamp(Groups(pixels, slices * PixelsPerThread), 1, EnoughGroups), perPart = Groups(pixels, parts);
        lastProduct = InFewChannels;
        var shares = Shares.Of(parts, workspace.Tickets);
        Launch<WeightsOfFew, WeightsOfFewArguments>(parts, 1, Threads.PerGroup, 1, new(View(x), View(dy),
            workspace.Room<float>(shares.Slots * shape.WeightSize), shares, epilogue, ConvGeometry.Of(shape), pixels, perPart, items,
            slices));
    }

    /// <summary>Blocks of 4 taps by 4 channels in dw.</summary>
    private static int FewItems(ConvShape s) => Groups(s.KernelHeight * s.KernelWidth * s.InChannels, 4) * Groups(s.OutChannels, 4);
}

/// <param name="First">The first entry of dx.</param>
internal readonly record struct GatherTapsArguments(ArrayView<float> Products, Epilogue Epilogue, ConvGeometry Geometry, int First);

/// <summary>dx from P [pixels of y, taps]: a thread adds up the taps that its entry meets.</summary>
internal readonly struct GatherTaps : IEntry<GatherTapsArguments>
{
    public static void Of(GatherTapsArguments a, int i)
    {
        var g = a.Geometry;
        var to = Pixel.Of(i, g.Height, g.Width, g.In);
        int y = to.Row + g.Padding, x = to.Column + g.Padding, taps = g.KernelHeight * g.KernelWidth * g.In;
        Lane sum = 0f;
        for (int ky = y % g.Stride; ky < g.KernelHeight; ky += g.Stride)
            for (int kx = x % g.Stride; kx < g.KernelWidth; kx += g.Stride)
            {
                int oy = (y - ky) / g.Stride, ox = (x - kx) / g.Stride;
                if (ky <= y && kx <= x && oy < g.OutHeight && ox < g.OutWidth)
                    sum += a.Products[((to.Image * g.OutHeight + oy) * g.OutWidth + ox) * taps + (ky * g.KernelWidth + kx) * g.In
                        + to.Channel];
            }
        a.Epilogue.Store(a.First + i, to.Channel, sum, a.Epilogue.Steps);
    }
}

/// <param name="Items">Blocks of 4 taps by 4 channels.</param>
/// <param name="Slices">Threads of a group that share a block, each with every so-manieth pixel.</param>
internal readonly record struct WeightsOfFewArguments(
    ArrayView<float> X, ArrayView<float> Dy, ArrayView<float> Partial, Shares Shares, Epilogue Epilogue, ConvGeometry Geometry, int Pixels,
    int PerPart, int Items, int Slices);

/// <summary>A part of dw a group, from its share of the pixels; the last groups to finish add the parts.</summary>
internal readonly struct WeightsOfFew : IKernel<WeightsOfFewArguments>
{
    public static void Run(WeightsOfFewArguments a)
    {
        var g = a.Geometry;
        int slice = Group.IdxX / a.Items, item = Group.IdxX - slice * a.Items, fours = (g.Out + 3) / 4,
            taps = g.KernelHeight * g.KernelWidth * g.In;
        int tap = item / fours * 4, channel = (item - item / fours * fours) * 4;
        var tap0 = FewTap.Of(g, tap);
        var tap1 = FewTap.Of(g, tap + 1);
        var tap2 = FewTap.Of(g, tap + 2);
        var tap3 = FewTap.Of(g, tap + 3);
        Four sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int end = slice < a.Slices ? IntrinsicMath.Min(a.Pixels, (Grid.IdxX + 1) * a.PerPart) : 0, first = Grid.IdxX * a.PerPart + slice;
        int line = first / g.OutWidth, image = line / g.OutHeight, width = g.OutWidth * g.Stride, height = g.OutHeight * g.Stride;
        int y = (line - image * g.OutHeight) * g.Stride, x = (first - line * g.OutWidth) * g.Stride,
            from = ((image * g.Height + y) * g.Width + x) * g.In;
        for (int pixel = first; pixel < end; pixel += a.Slices)
        {
            int at = pixel * g.Out + channel;
            Four d;
            d.X = a.Dy[at];
            d.Y = channel + 1 < g.Out ? a.Dy[at + 1] : 0f;
            d.Z = channel + 2 < g.Out ? a.Dy[at + 2] : 0f;
            d.W = channel + 3 < g.Out ? a.Dy[at + 3] : 0f;
            sum0.Fma(tap0.Load(a.X, g, from, y, x), d);
            sum1.Fma(tap1.Load(a.X, g, from, y, x), d);
            sum2.Fma(tap2.Load(a.X, g, from, y, x), d);
            sum3.Fma(tap3.Load(a.X, g, from, y, x), d);
            x += a.Slices * g.Stride;
            from += a.Slices * g.Stride * g.In;
            while (x >= width)
            {
                x -= width;
                y += g.Stride;
                bool ends = y == height;
                y = ends ? 0 : y;
                from += (g.Stride * g.Width - width + (ends ? (g.Height - height) * g.Width : 0)) * g.In;
            }
        }

        var shared = SharedMemory.Allocate<Four>(4 * Threads.PerGroup);
        shared[Group.IdxX] = sum0;
        shared[Threads.PerGroup + Group.IdxX] = sum1;
        shared[2 * Threads.PerGroup + Group.IdxX] = sum2;
        shared[3 * Threads.PerGroup + Group.IdxX] = sum3;
        Intrinsic.Barrier();
        var sums = shared.Cast<float>();
        int size = taps * g.Out;
        for (int i = Group.IdxX; i < size; i += Threads.PerGroup)
        {
            int t = i / g.Out, c = i - t * g.Out, at = 4 * ((t & 3) * Threads.PerGroup + (t >> 2) * fours + (c >> 2)) + (c & 3);
            Lane sum = 0f;
            for (int s = 0; s < a.Slices; s++)
                sum += sums[at + 4 * s * a.Items];
            a.Partial[Grid.IdxX * size + i] = sum;
        }
        int team = a.Shares.TeamOf(Grid.IdxX), own = team * a.Shares.Members;
        bool last = a.Shares.IsLast(0, team, a.Shares.MembersOf(team));
        for (int i = Group.IdxX; i < (last ? size : 0); i += Threads.PerGroup)
            a.Partial[(a.Shares.Parts + team) * size + i] = Added(a.Partial, own * size + i, size, a.Shares.MembersOf(team));
        last = a.Shares.IsLast(0, a.Shares.Teams, last ? a.Shares.Teams : 0);
        for (int i = Group.IdxX; i < (last ? size : 0); i += Threads.PerGroup)
            a.Epilogue.Store(i, i % g.Out, Added(a.Partial, a.Shares.Parts * size + i, size, a.Shares.Teams), a.Epilogue.Steps);
    }

    private static Lane Added(ArrayView<float> partial, int first, int apart, int count)
    {
        Lane sum = 0f;
        for (int i = 0; i < count; i++)
            sum += partial[first + i * apart];
        return sum;
    }
}

/// <summary>A tap and channel of a kernel: its distance in rows, columns and entries of x.</summary>
internal readonly record struct FewTap(int Y, int X, int At)
{
    public static FewTap Of(ConvGeometry g, int tap)
    {
        int place = tap / g.In, row = place / g.KernelWidth, x = place - row * g.KernelWidth - g.Padding;
        int at = ((row - g.Padding) * g.Width + x) * g.In + (tap - place * g.In);
        return new(row < g.KernelHeight ? row - g.Padding : Row.Outside, x, at);
    }

    public float Load(ArrayView<float> image, ConvGeometry g, int from, int row, int column) =>
        (uint)(row + Y) < (uint)g.Height && (uint)(column + X) < (uint)g.Width ? image[from + At] : 0f;
}
