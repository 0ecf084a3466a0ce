using NUnit.Framework;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>Folders as people have them: with links, copies, damaged files, or hardly a picture.</summary>
public sealed class ImageFolderTests
{
    [Test]
    public void A_folder_that_links_lead_to_again_is_read_once()
    {
        string folder = Pictures(20), below = Path.Combine(folder, "below");
        Directory.CreateDirectory(below);
        Directory.CreateSymbolicLink(Path.Combine(folder, "loop"), folder);
        Directory.CreateSymbolicLink(Path.Combine(below, "up"), "..");
        Directory.CreateSymbolicLink(Path.Combine(folder, "again"), below);
        var splits = ImageFolder.Load(folder);
        Assert.That(splits.Train.Count + splits.Test.Count, Is.EqualTo(18), "16 to train on and 2 to test on");
        Assert.That(splits.Notes, Has.Exactly(1).Contains("below/up, again, loop lead").And.Exactly(1).Contains("not followed"));
    }

    [Test]
    public void A_link_to_a_folder_elsewhere_is_followed()
    {
        string folder = Pictures(10), elsewhere = Pictures(10, first: 100);
        Directory.CreateSymbolicLink(Path.Combine(folder, "more"), elsewhere);
        var splits = ImageFolder.Load(folder);
        Assert.That((splits.Train.Count, splits.Test.Count, splits.Train.Classes), Is.EqualTo((16, 2, 2)));
        Assert.That(splits.Notes, Is.Empty);
    }

    [Test]
    public void Copies_are_left_out_and_said()
    {
        string folder = Pictures(12);
        for (int i = 0; i < 8; i++)
            File.Copy(Path.Combine(folder, "00.png"), Path.Combine(folder, $"copy{i}.png"));
        File.CreateSymbolicLink(Path.Combine(folder, "link.png"), Path.Combine(folder, "01.png"));
        var splits = ImageFolder.Load(folder);
        Assert.That(splits.Train.Count + splits.Test.Count, Is.EqualTo(11), "10 and 1 of 12");
        Assert.That(splits.Notes, Has.One.Contains("9 of 21 pictures are copies of others").And.One.Contains("copy0.png"));
        var images = new[] { splits.Train,
            splits.Test }.SelectMany(s => Enumerable.Range(0, s.Count).Select(i => Convert.ToHexString(s.Image(i)))).ToArray();
        Assert.That(images, Is.Unique);
    }

    [Test]
    public void The_same_picture_in_two_classes_stays_in_both_and_is_said()
    {
        string folder = TestFiles.Folder("pictures");
        foreach (string group in (string[])["cats", "dogs"])
            for (int i = 0; i < 6; i++)
                AtomicFile.WriteBytes(Path.Combine(folder, group, $"{i}.png"),
                    Png.Encode(new(20, 20, 1, JpegEncoder.Smooth(20, 20, 1, i))));
        var splits = ImageFolder.Load(folder);
        Assert.That((splits.Train.Count, splits.Test.Count, splits.Train.Classes), Is.EqualTo((10, 1, 2)));
        Assert.That(splits.Notes, Has.One.Contains("6 of 12 pictures are in more than one class"));
    }

    [Test]
    public void A_few_unreadable_pictures_are_skipped_and_listed()
    {
        string folder = Pictures(39);
        File.WriteAllBytes(Path.Combine(folder, "torn.png"), File.ReadAllBytes(Path.Combine(folder, "00.png"))[..50]);
        var splits = ImageFolder.Load(folder);
        Assert.That(splits.Train.Count, Is.EqualTo(31), "8 of 10 of 39");
        Assert.That(splits.Notes, Has.One.Contains("1 of 40 pictures cannot be read and is skipped: torn.png"));
    }

    [Test]
    public void More_unreadable_pictures_than_one_in_twenty_stop()
    {
        string folder = Pictures(37);
        foreach (string name in (string[])["x.webp", "y.webp", "z.webp"])
            File.WriteAllBytes(Path.Combine(folder, name), [.. "RIFF"u8, 4, 0, 0, 0, .. "WEBPVP8 "u8]);
        var error = Assert.Throws<DataException>(() => ImageFolder.Load(folder))!;
        Assert.That(error.Message, Does.Contain("x.webp").And.Contain("WebP").And.Contain("3 of 40 pictures").And.Contain("more than 5 %"));
        HostileBytes.AssertOneSentence(error.Message);
    }

    [TestCase(2)]
    [TestCase(4)]
    [TestCase(9)]
    public void Fewer_than_ten_pictures_are_read_with_a_warning(int count)
    {
        var splits = ImageFolder.Load(Pictures(count));
        Assert.That((splits.Train.Count, splits.Test.Count), Is.EqualTo((count - 1, 1)));
        Assert.That(splits.Notes, Has.One.Contains($"only {count} pictures"));
    }

    [Test]
    public void One_picture_is_too_few() =>
        Assert.That(() => ImageFolder.Load(Pictures(1)),
            Throws.TypeOf<DataException>().With.Message.Contains("1 picture").And.Message.Contains("2 or more"));

    private static string Pictures(int count, int first = 0)
    {
        string folder = TestFiles.Folder("pictures");
        for (int i = 0; i < count; i++)
            File.WriteAllBytes(Path.Combine(folder, $"{first + i:00}.png"),
                Png.Encode(new(20, 20, 1, JpegEncoder.Smooth(20, 20, 1, first + i))));
        return folder;
    }
}
