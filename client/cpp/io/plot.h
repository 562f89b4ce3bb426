#ifndef POE_CLIENT_CPP_IO_PLOT_H_
#define POE_CLIENT_CPP_IO_PLOT_H_

#include "absl/status/statusor.h"
#include "client/cpp/io/picture.h"

namespace poe::client {

// The part of the plane that a plot shows. Each minimum is less than its
// maximum, and all are finite.
struct PlotRange {
  double x_min;
  double x_max;
  double y_min;
  double y_max;
};

// A picture of points and curves in the plane, x to the right and y upwards,
// on white. Coordinates are those of the data; radii and widths of the pen are
// pixels. Everything is anti-aliased and cut off at the border, and what has a
// coordinate that is not finite is not drawn. Later drawings cover earlier
// ones. Like a container: const calls may run at once, others not.
class Plot {
 public:
  // INVALID_ARGUMENT if the range is empty or not finite, or a side of the
  // picture is not from 1 to 2^14 pixels. Circles are round if width : height
  // is that of the range.
  static absl::StatusOr<Plot> Create(const PlotRange& range, int width,
                                     int height);

  // Vertical and horizontal lines, one pixel wide, at the whole multiples of
  // `spacing`. None if it is not positive or less than two pixels.
  void DrawGridLines(double spacing, Color color);

  // A disc; opacity from 0 (nothing) to 1.
  void DrawPoint(double x, double y, double radius_pixels, Color color,
                 double opacity = 1);

  // The outline of an ellipse with axes along x and y: those of one standard
  // deviation of a Gaussian, for example. Any sizes will do: an axis too small
  // to show is widened to a pixel.
  void DrawEllipse(double center_x, double center_y, double radius_x,
                   double radius_y, double pen_pixels, Color color);

  const Picture& picture() const { return picture_; }

 private:
  Plot(const PlotRange& range, Picture picture);

  // Pixels a unit, and from data to pixels; pixel 0 reaches from -0.5 to 0.5.
  double x_scale() const;
  double y_scale() const;
  double PixelX(double x) const;
  double PixelY(double y) const;

  PlotRange range_;
  Picture picture_;
};

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_IO_PLOT_H_
